"""Page furniture: everything on a page except table cells, such as titles, footers, notes, watermarks and drawings."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from upschedule.pdf.cells import Table
from upschedule.pdf.errors import Incomplete, NoRules
from upschedule.pdf.fragments import LAYOUTS
from upschedule.pdf.frame import Rect, Word
from upschedule.pdf.page import PageContents
from upschedule.pdf.rules import Stroke, is_near
from upschedule.pdf.styles import Ignored, Reason
from upschedule.timetable.event import ReadingWarning

#: A time of day, which shows that text belongs to a timetable.
_TIME = re.compile(r"\d{1,2}[:hH]\d{2}")
#: Text that a row of a schedule has besides a time.
_ROW = re.compile(
    r"\b[A-Z]{3} ?\d{3}\b|\d{1,2}[:hH]\d{2} ?- ?\d{1,2}[:hH]\d{2}|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur)day\b"
)
_NUMBER = re.compile(r"\d+")
_TITLES = frozenset(layout.name for layout in LAYOUTS)
_QUOTE_MAX = 80
#: A table that comes this close (points) to the edge of the visible page was cut there.
_EDGE = 1.0
#: A path this close (points) to a border of a table is a part of it.
_ON_BORDER = 3.0


class _Warning(NamedTuple):
    page: int
    message: str
    quote: str


class PageFurniture:
    """Collects warnings about text and lines outside of cells, page by page. Repeated text gives one warning."""

    def __init__(self) -> None:
        self._warnings: list[_Warning] = []

    def add(self, page: PageContents, tables: Sequence[Table], outside: Sequence[Word]) -> None:
        """Raises `Incomplete` or `NoRules` if a part of a table is cut off or is not recognised as one."""
        number = page.frame.page
        for table in tables:
            _refuse_cut(table, page.visible)
        for word in page.hidden:
            if _is_level(word, tables):
                raise Incomplete(_cut(number))
        # Words inside of a table's box that belong to no cell are too large for one.
        large = [Ignored(word, Reason.LARGE) for word in outside if _inside(word, tables)]
        around = [word for word in outside if not _inside(word, tables)]
        lines = [line for line in _lines(around) if line.text not in _TITLES]
        if not tables:
            self._add_page_without_table(page, lines)
        elif lines:
            top = tables[0].grid.rows[0]
            timed = any(_TIME.search(line.text) for line in lines)
            below = [line.text for line in lines if timed or line.bottom > top]
            self._warn(number, "Text outside the table was not read", below)
        over = [*large, *(word for word in page.ignored if _inside(word.word, tables))]
        self._warn_ignored(number, over)
        if any(_is_stray_line(stroke, tables) for stroke in page.strokes) or (page.drawings and tables):
            self._warn(number, "Lines or drawings that are no part of the table were ignored", [""])

    def warnings(self) -> list[ReadingWarning]:
        """One warning for each text. Texts that differ only in numbers, such as page numbers, count as one."""
        first: dict[tuple[str, str], _Warning] = {}
        for warning in self._warnings:
            first.setdefault((warning.message, _NUMBER.sub("#", warning.quote)), warning)
        return [
            ReadingWarning(page=page, message=f"{message}: {quote[:_QUOTE_MAX]}" if quote else f"{message}.")
            for page, message, quote in first.values()
        ]

    def _warn(self, page: int, message: str, texts: Sequence[str]) -> None:
        if texts:
            self._warnings.append(_Warning(page, message, " ".join(texts)))

    def _add_page_without_table(self, page: PageContents, lines: Sequence["_Line"]) -> None:
        """A cover sheet is left out with a warning; a timetable whose lines are missing is not."""
        number = page.frame.page
        text = " ".join(line.text for line in lines)
        if _TIME.search(text) and _ROW.search(text):
            if page.pictured:
                raise NoRules
            raise Incomplete(
                f"Page {number} holds times outside of a table, which cannot be read. Download the schedule again."
            )
        self._warn(number, "This page holds no table; its text was not read", [text] if text else [])

    def _warn_ignored(self, page: int, over: Sequence[Ignored]) -> None:
        for reason in (Reason.COLOURED, Reason.SLANTED, Reason.LARGE, Reason.PALE):
            texts = [word[4] for word, why in over if why is reason]
            # A watermark is known furniture; one with numbers could be a part of the schedule.
            if reason is Reason.COLOURED or any(_NUMBER.search(text) for text in texts):
                self._warn(page, f"{reason.value} over the table was not read", texts)


class _Line(NamedTuple):
    text: str
    bottom: float


def _lines(words: Sequence[Word]) -> list[_Line]:
    lines: dict[tuple[int, int], list[Word]] = {}
    for word in words:
        lines.setdefault((word[5], word[6]), []).append(word)
    return [_Line(" ".join(word[4] for word in line), max(word[3] for word in line)) for line in lines.values()]


def _inside(word: Word, tables: Sequence[Table]) -> bool:
    x, y = (word[0] + word[2]) / 2, (word[1] + word[3]) / 2
    return any(grid.columns[0] < x < grid.columns[-1] and grid.rows[0] < y < grid.rows[-1] for _, grid, _ in tables)


def _is_level(word: Word, tables: Sequence[Table]) -> bool:
    """Whether the word is above, below or beside a table, whose own rules may be clipped away there."""
    x, y = (word[0] + word[2]) / 2, (word[1] + word[3]) / 2
    return any(grid.columns[0] < x < grid.columns[-1] or grid.rows[0] < y < grid.rows[-1] for _, grid, _ in tables)


def _refuse_cut(table: Table, visible: Rect) -> None:
    rows, columns = table.grid
    left, top, right, bottom = visible
    if columns[0] < left + _EDGE or rows[0] < top + _EDGE or columns[-1] > right - _EDGE or rows[-1] > bottom - _EDGE:
        raise Incomplete(_cut(table.frame.page))


def _cut(page: int) -> str:
    return (
        f"A part of the table on page {page} is outside of what the page shows, so classes could be lost. "
        'Print it again with "Fit to page", or upload the PDF that the UP Portal printed.'
    )


def _is_stray_line(stroke: Stroke, tables: Sequence[Table]) -> bool:
    """Whether a straight line inside of a table is none of its borders."""
    left, top, right, bottom = stroke.rect
    for _, (rows, columns), _ in tables:
        across = min(right, columns[-1]) - max(left, columns[0])
        down = min(bottom, rows[-1]) - max(top, rows[0])
        if across < -_ON_BORDER or down < -_ON_BORDER:
            continue
        edges = ((top, bottom), rows) if bottom - top < right - left else ((left, right), columns)
        if not stroke.outline or min(bottom - top, right - left) <= _ON_BORDER:
            ends, borders = edges
            return not is_near((ends[0] + ends[1]) / 2, borders, _ON_BORDER)
        return not (
            is_near(top, rows, _ON_BORDER)
            and is_near(bottom, rows, _ON_BORDER)
            and is_near(left, columns, _ON_BORDER)
            and is_near(right, columns, _ON_BORDER)
        )
    return False
