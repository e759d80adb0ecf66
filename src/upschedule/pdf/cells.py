"""Words to cells: by the middle of each word, never by containment, since a word's box is taller than the leading."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from upschedule.pdf.frame import Frame, Rect, Word
from upschedule.pdf.grid import Grid

#: Words of one line differ in height by less than this part of a word's height.
_LINE_SHARE = 0.35
#: A blank is about this part of a word's height.
_BLANK_SHARE = 0.2
#: How far (points) a word may reach over its cell's border before it counts as cut.
_OVERLAP_MAX = 1.5


class Line(NamedTuple):
    """One printed line of a cell. `room` is what is left of the column's width, `first_width` its first word's width, in points."""

    text: str
    rect: Rect
    room: float
    first_width: float
    frame: Frame

    def wraps_to(self, following: "Line") -> bool:
        """Whether the break after this line can be a wrap: the next word would not have fitted."""
        blank = _BLANK_SHARE * (self.rect[3] - self.rect[1])
        return following.first_width + blank > self.room


Cell = tuple[Line, ...]


class Row(NamedTuple):
    """One band of a table; `overrun` when a word reaches over its cell's border."""

    cells: list[Cell]
    rect: Rect
    frame: Frame
    overrun: bool


class Table(NamedTuple):
    """The rows of one grid, and its borders."""

    rows: list[Row]
    grid: Grid
    frame: Frame


def read_tables(words: Sequence[Word], grids: Sequence[Grid], frame: Frame) -> tuple[list[Table], list[Word]]:
    """The page's tables, top to bottom, and the words that stand in none of them."""
    tables: list[Table] = []
    remaining = words
    for grid in grids:
        table, remaining = _read_table(remaining, grid, frame)
        tables.append(table)
    return tables, list(remaining)


def _read_table(words: Sequence[Word], grid: Grid, frame: Frame) -> tuple[Table, list[Word]]:
    rows, columns = grid
    width = len(columns) - 1
    cells: list[list[Word]] = [[] for _ in range(width * (len(rows) - 1))]
    overruns: set[int] = set()
    outside: list[Word] = []
    top, bottom, left, right = rows[0], rows[-1], columns[0], columns[-1]
    for word in words:
        x0, y0, x1, y1, *_ = word
        middle = (y0 + y1) / 2
        centre = (x0 + x1) / 2
        if not (top < middle < bottom and left < centre < right):
            outside.append(word)
            continue
        row = bisect_right(rows, middle) - 1
        column = bisect_right(columns, centre) - 1
        if x0 < columns[column] - _OVERLAP_MAX or x1 > columns[column + 1] + _OVERLAP_MAX:
            column = max(0, bisect_right(columns, x0 + _OVERLAP_MAX) - 1)
            overruns.add(row)
        cells[row * width + column].append(word)
    found = [
        Row(
            [
                _lines(cells[row * width + column], columns[column], columns[column + 1], frame)
                for column in range(width)
            ],
            (left, rows[row], right, rows[row + 1]),
            frame,
            row in overruns,
        )
        for row in range(len(rows) - 1)
    ]
    return Table(found, grid, frame), outside


def _lines(words: list[Word], left: float, right: float, frame: Frame) -> Cell:
    if not words:
        return ()
    if len(words) == 1:
        x0, y0, x1, y1, text, *_ = words[0]
        return (Line(text, (x0, y0, x1, y1), right + left - x0 - x1, x1 - x0, frame),)
    words.sort(key=_middle)
    lines: list[list[Word]] = []
    for word in words:
        if lines and _middle(word) - _middle(lines[-1][0]) < _LINE_SHARE * (word[3] - word[1]):
            lines[-1].append(word)
        else:
            lines.append([word])
    return tuple([_line(line, left, right, frame) for line in lines])


def _middle(word: Word) -> float:
    return (word[1] + word[3]) / 2


def _line(words: list[Word], left: float, right: float, frame: Frame) -> Line:
    words.sort()
    first, last = words[0], words[-1]
    rect = (first[0], min([word[1] for word in words]), last[2], max([word[3] for word in words]))
    text = " ".join([word[4] for word in words])
    # The padding at the right of a cell equals that at the left.
    return Line(text, rect, right + left - first[0] - last[2], first[2] - first[0], frame)
