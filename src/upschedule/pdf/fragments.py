"""Splits tables into fragments: pieces of one schedule, with its kind, columns and rows.

A document is a sequence of fragments. A page break is only one kind of border between two of them: several pages may
be printed on one sheet, and a header may begin a schedule in the middle of a table.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from upschedule.pdf.cells import Row, Table
from upschedule.pdf.layouts import exams, lectures, semester_tests
from upschedule.pdf.layouts.entry import Fields, Layout, Part
from upschedule.pdf.layouts.fields import joined

LAYOUTS: tuple[Layout, ...] = (lectures.LAYOUT, semester_tests.LAYOUT, exams.LAYOUT)


#: The number of different headers of a document that are tried for tables without one.
_HEADERS_MAX = 8


class Columns(NamedTuple):
    """The field of each column, from the header."""

    layout: Layout
    names: tuple[str, ...]

    def fields(self, row: Row) -> Fields:
        return dict(zip(self.names, row.cells, strict=True))


@dataclass
class Fragment:
    """The rows of one table, from its top or a header down to the next header or its bottom."""

    table: Table
    columns: Columns
    headed: bool
    parts: list[Part] = field(default_factory=list[Part])

    @property
    def page(self) -> int:
        return self.table.frame.page

    @property
    def layout(self) -> Layout:
        return self.columns.layout

    @cached_property
    def keys(self) -> list[str]:
        """The key by which the portal sorts, for each row that has one."""
        keys = [self.layout.sort_key(part.fields) for part in self.parts]
        return [key for key in keys if key]


@dataclass(slots=True)
class Found:
    """The contents of all tables of a document."""

    fragments: list[Fragment] = field(default_factory=list[Fragment])
    #: Rows without any text: the blank last line of a row that a page break cut, or text that was lost.
    blank: list[Row] = field(default_factory=list[Row])
    #: Tables with contents that fit no kind of schedule.
    unknown: list[Table] = field(default_factory=list[Table])


def find_fragments(tables: Sequence[Table]) -> Found:
    """The fragments in the order of the tables."""
    found = Found()
    printed = (header for table in tables for row in table.rows[:1] if (header := _header(row)))
    headers = list(dict.fromkeys(printed))[:_HEADERS_MAX]
    last: Columns | None = None
    numbers: Counter[int] = Counter()
    for table in tables:
        current: Fragment | None = None
        for row in table.rows:
            if row.is_blank:
                found.blank.append(row)
                continue
            header = _header(row)
            if header:
                last = header
                current = Fragment(table, header, headed=True)
                found.fragments.append(current)
                continue
            if current is None:
                columns = _columns(table, [last] if last else [], headers)
                current = columns and Fragment(table, columns, headed=False)
                if current:
                    last = current.columns
                    found.fragments.append(current)
            if current is None or len(current.columns.names) != len(row):
                found.unknown.append(table)
                break
            numbers[row.frame.page] += 1
            current.parts.append(Part(current.columns.fields(row), row, numbers[row.frame.page]))
    return found


def _header(row: Row) -> Columns | None:
    names = tuple("".join(joined(cell).lower().split()) for cell in row.cells)
    if "module" not in names or len(set(names)) < len(names):
        return None
    layout = next((each for each in LAYOUTS if set(each.columns) <= set(names)), None)
    return Columns(layout, names) if layout else None


def _columns(table: Table, last: Sequence[Columns], headers: Sequence[Columns]) -> Columns | None:
    """The columns of a table without a header: those of the last header while the table has rows of that kind.

    Where pages are out of order, the header may come later.
    """
    contents = _by_contents(table, (Columns(layout, layout.columns) for layout in LAYOUTS))
    for columns in last:
        if _has_rows(columns, table) or (contents is None and len(columns.names) == len(table.grid.columns) - 1):
            return columns
    return _by_contents(table, headers) or contents


def _by_contents(table: Table, candidates: Iterable[Columns]) -> Columns | None:
    return next((columns for columns in candidates if _has_rows(columns, table)), None)


def _has_rows(columns: Columns, table: Table) -> bool:
    rows = [row for row in table.rows if len(row) == len(columns.names) and not row.is_blank]
    return any(_header(row) or columns.layout.recognises(columns.fields(row)) for row in rows)
