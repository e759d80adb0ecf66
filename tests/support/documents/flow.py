"""Rows to pages as the portal's report engine lays them out: wraps, cuts at page ends, the header on page 1 only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import msgspec
from reportlab.pdfbase.pdfmetrics import stringWidth

from tests.support.documents.schedules import Cell, Kind, Row
from upschedule.timetable.event import Event

PAGE_WIDTH, PAGE_HEIGHT, MARGIN = 841.9, 595.3, 36.0
_PADDING = 5.4
_RULE = 0.5
_SPILLING_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Text:
    """`y` is the baseline, from the bottom of the page, in points."""

    x: float
    y: float
    text: str
    size: float
    bold: bool = False
    white: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """What is drawn: texts, and rules as left, bottom, width, height."""

    texts: list[Text] = field(default_factory=list[Text])
    rules: list[tuple[float, float, float, float]] = field(default_factory=list[tuple[float, float, float, float]])


@dataclass(frozen=True, slots=True)
class Fonts:
    """Names by which reportlab knows the widths."""

    regular: str = "Helvetica"
    bold: str = "Helvetica-Bold"


@dataclass(slots=True)
class Placed:
    """A row's events with their pages, and the page on which the row begins."""

    page: int
    events: list[Event]
    #: The pages on which the row goes on.
    more_pages: list[int]


class Flow:
    """Lays out one schedule. `shift` moves baselines of some columns by that many points."""

    def __init__(self, kind: Kind, fonts: Fonts, rng: Random) -> None:
        self._kind, self._fonts = kind, fonts
        self._shifts = [rng.choice((0.0, 0.0, 0.94, -0.97)) for _ in kind.headers]
        #: Whether a blank last line goes to the next page if it does not fit.
        self._spills = rng.random() < _SPILLING_SHARE
        self.pages: list[Page] = []
        self.placed: list[Placed] = []
        self._borders: list[float] = []
        self._y = 0.0

    def lay_out(self, rows: Sequence[Row], *, title: bool = True) -> None:
        self._begin_page()
        if title:
            self.pages[-1].texts.append(Text(MARGIN, self._y - 19.3, self._kind.title, 20, bold=True))
            self._y -= 37.2
        self._borders = [self._y]
        self._header()
        for row in rows:
            self._row(row)

    @property
    def is_full(self) -> bool:
        """Whether no other line fits on the last page, so that the table may seem to be cut off there."""
        return self._room() < 1

    def close(self) -> None:
        """Draw the rules of the last page."""
        self._end_page()

    def draw_row(self, cells: list[Cell]) -> None:
        """A row without events, on the page that is open."""
        self._draw([self._wrap(cell, column) for column, cell in enumerate(cells)])

    def _begin_page(self) -> None:
        self.pages.append(Page())
        self._y = PAGE_HEIGHT - MARGIN
        self._borders = [self._y]

    def _end_page(self) -> None:
        page, borders = self.pages[-1], self._kind.borders
        page.rules.extend((x - _RULE / 2, self._y, _RULE, self._borders[0] - self._y) for x in borders)
        page.rules.extend((borders[0] - _RULE / 2, y, borders[-1] - borders[0], _RULE) for y in self._borders)

    def _header(self) -> None:
        wrapped = [self._wrap([text], column, bold=True) for column, text in enumerate(self._kind.headers)]
        self._draw(wrapped, bold=True)

    def _row(self, row: Row) -> None:
        kind = self._kind
        wrapped = [self._wrap(cell, column) for column, cell in enumerate(row.cells)]
        count = max(len(lines) for lines in wrapped)
        blank = 1 if kind.blank_last_line and count == 1 else 0
        if not kind.cuts_rows and self._room() < count:
            self._turn()
        if self._room() < 1:
            self._turn()
        placed = Placed(len(self.pages), list(row.events), [])
        pages_of_lines: list[int] = []
        done = 0
        while done < count:
            fitting = min(count - done, self._room())
            part = [lines[done : done + fitting] for lines in wrapped]
            room = self._room() - fitting
            self._draw(part, kind_letter=row.kind_letter if done == 0 else "", blank=min(blank, room))
            pages_of_lines += [len(self.pages)] * fitting
            if room < blank and self._spills:
                self._turn()
                self._draw([[] for _ in part], blank=blank)
            done += fitting
            if done < count:
                self._turn()
                placed.more_pages.append(len(self.pages))
        placed.events = [
            msgspec.structs.replace(event, page=pages_of_lines[start])
            for event, start in zip(row.events, row.lines, strict=True)
        ]
        self.placed.append(placed)

    def _turn(self) -> None:
        self._end_page()
        self._begin_page()

    def _room(self) -> int:
        return int((self._y - MARGIN) / self._kind.leading)

    def _draw(self, wrapped: list[Cell], *, bold: bool = False, kind_letter: str = "", blank: int = 0) -> None:
        kind, page = self._kind, self.pages[-1]
        baseline = self._y - 0.5 - 0.86 * kind.size
        for column, lines in enumerate(wrapped):
            x, shift = kind.borders[column] + _PADDING, self._shifts[column]
            size = self._size(lines, column, bold=bold)
            for index, line in enumerate(lines):
                page.texts.append(Text(x, baseline - index * kind.leading + shift, line, size, bold=bold))
            if kind_letter and column == _LANGUAGE:
                end = x + stringWidth(f"{lines[0]} ", self._fonts.regular, kind.size)
                page.texts.append(Text(end, baseline + shift, kind_letter, kind.size, white=True))
        self._y -= max(len(lines) for lines in wrapped) * kind.leading + blank * kind.leading + 0.5
        self._borders.append(self._y)

    def _size(self, words: Sequence[str], column: int, *, bold: bool) -> float:
        """A word too long for its column is printed smaller."""
        font, size = self._fonts.bold if bold else self._fonts.regular, self._kind.size
        while any(stringWidth(word, font, size) > self._width(column) for word in words):
            size -= 0.5
        return size

    def _width(self, column: int) -> float:
        return self._kind.borders[column + 1] - self._kind.borders[column] - 2 * _PADDING

    def _wrap(self, cell: Cell, column: int, *, bold: bool = False) -> Cell:
        font = self._fonts.bold if bold else self._fonts.regular
        size = self._size([word for text in cell for word in text.split(" ")], column, bold=bold)
        lines: Cell = []
        for text in cell:
            open_line = ""
            for word in text.split(" "):
                longer = f"{open_line} {word}".strip()
                if open_line and stringWidth(longer, font, size) > self._width(column):
                    lines.append(open_line)
                    open_line = word
                else:
                    open_line = longer
            lines.append(open_line)
        return lines


_LANGUAGE = 3
