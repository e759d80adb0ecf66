"""Models a row of a schedule, joined over page breaks, and the interface of a layout."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from upschedule.pdf.cells import Cell, Line, Row
from upschedule.pdf.frame import Rect
from upschedule.pdf.layouts.fields import is_module, joined, module_code
from upschedule.timetable.event import Box, Event, ReadingWarning

#: A row's cells by the names of their columns.
Fields = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a row on one page. `number` counts the rows of the page from 1."""

    fields: Fields
    row: Row
    number: int

    @property
    def page(self) -> int:
        return self.row.frame.page

    def is_blank(self, columns: Sequence[str]) -> bool:
        return not any(self.fields[column] for column in columns)

    def warning(self, message: str) -> ReadingWarning:
        return ReadingWarning(page=self.page, row=self.number, message=message)

    def box(self, rect: Rect) -> Box:
        return self.row.frame.displayed(rect, row=self.number)


@dataclass(frozen=True, slots=True)
class Entry:
    """A whole row: its parts in the order of their pages."""

    layout: "Layout"
    parts: list[Part] = field(default_factory=list[Part])

    @property
    def page(self) -> int:
        return self.parts[0].page

    @property
    def boxes(self) -> tuple[Box, ...]:
        return tuple(part.box(part.row.rect) for part in self.parts)

    def lines(self, column: str) -> list[Line]:
        return [line for part in self.parts for line in part.fields[column]]

    def text(self, column: str) -> str:
        return joined(self.lines(column))

    def warning(self, message: str) -> ReadingWarning:
        return self.parts[0].warning(message)

    def completes_with(self, part: Part) -> bool:
        """Whether only the smallest text fitted on the page before, so that `part` holds the rest of the keys."""
        module = joined([*self.lines("module"), *part.fields["module"]])
        return is_module(module_code(module)) and not self.layout.recognises(self.parts[-1].fields)


class Continues(Protocol):
    """Whether a rest can belong to a row by its contents; `regular` when the document's rows follow the law."""

    def __call__(self, entry: Entry, rest: Part, /, *, regular: bool) -> bool: ...


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of schedule.

    `columns` are header texts in printed order, in lower case without blanks. `keys` are blank in the rest of a row
    that a page break cut. `recognises` tells a row or such a rest by its contents. `sort_key` is what the portal sorts
    rows by, empty where a row does not have it. `is_regular` tells whether whole rows follow a numbering rule. By that
    rule `is_whole` tells that a row lacks its rest, and `continues` that a rest does not belong to a row. `read` makes
    events and warnings.
    """

    name: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    recognises: Callable[[Fields], bool]
    sort_key: Callable[[Fields], str]
    is_regular: Callable[[Iterable[Fields]], bool]
    is_whole: Callable[[Entry], bool]
    continues: Continues
    read: Callable[[Sequence[Entry]], Iterator[Event | ReadingWarning]]
