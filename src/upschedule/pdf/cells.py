"""Assigns words to cells by the middle of each word; a word's box can be taller than its line, so it may not fit."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import chain, pairwise
from typing import NamedTuple

from upschedule.pdf.errors import TooComplex
from upschedule.pdf.frame import Frame, Rect, Word
from upschedule.pdf.grid import Grid

#: Words of one line differ in height by less than this part of a word's height.
_LINE_SHARE = 0.35
#: A blank is about this part of a word's height.
_BLANK_SHARE = 0.2
#: Producers round widths, by less than this (points).
_SLACK = 0.1
#: How far (points) a word may reach over its cell's border before it counts as cut.
_OVERLAP_MAX = 1.5
#: A line this close to the middle of a word, as a part of its height, goes through the word: it is no rule.
_STRUCK_SHARE = 0.25
#: A word taller than this many times the usual height is no text of a cell: a title or a watermark.
_LARGE = 1.55
#: How often lines that go through words are removed from one table.
_MARKS_MAX = 8
#: The number of words from which the usual height is estimated.
_SAMPLE = 50
_MODULE = re.compile(r"[A-Z]{3} ?\d{3}\b")
#: The same text is printed twice, as bold type or by two layers, within this part of a word's height.
_REPEAT_SHARE = 0.4


class Line(NamedTuple):
    """One printed line of a cell; lengths in points.

    `room` is what the line leaves of its column's width; `blank` is the gap after the first word, 0 if it is alone.
    """

    text: str
    rect: Rect
    room: float
    first_width: float
    blank: float
    frame: Frame

    def wraps_to(self, following: "Line") -> bool:
        """Whether the break after this line can be a wrap: the next word would not have fitted."""
        blank = self.blank or following.blank or _BLANK_SHARE * (self.rect[3] - self.rect[1])
        return blank + following.first_width > self.room - _SLACK


Cell = tuple[Line, ...]
#: Words of one line that follow each other in a cell.
Run = list[Word]


class Row:
    """One band of a table; `overrun` when a word reaches over its cell's border."""

    def __init__(
        self, words: list[list[Run]], columns: list[float], rect: Rect, frame: Frame, *, overrun: bool
    ) -> None:
        self.rect, self.frame, self.overrun = rect, frame, overrun
        #: Whether words of one line are printed over each other; known once the cells are.
        self.overprinted = False
        self._words, self._columns = words, columns

    @cached_property
    def cells(self) -> list[Cell]:
        """The printed lines of each cell."""
        cells: list[Cell] = []
        for runs, (left, right) in zip(self._words, pairwise(self._columns), strict=True):
            lines = _lines(runs) if runs else []
            self.overprinted = self.overprinted or (len(lines) < len(runs) and _overlap(lines))
            cells.append(tuple([_line(line, left, right, self.frame) for line in lines]))
        return cells

    @property
    def height(self) -> float:
        """The height in points."""
        return self.rect[3] - self.rect[1]

    @property
    def is_blank(self) -> bool:
        return not any(self._words)

    def __len__(self) -> int:
        return len(self._words)


class Table(NamedTuple):
    """The rows of one grid, and its borders."""

    rows: list[Row]
    grid: Grid
    frame: Frame


def read_tables(words: Sequence[Word], grids: Sequence[Grid], frame: Frame) -> tuple[list[Table], list[Word]]:
    """The page's tables, top to bottom, and the words that are in none of them. Raises `TooComplex`."""
    tables: list[Table] = []
    remaining = words
    height_max = _usual_height(words) * _LARGE
    for number, grid in enumerate(grids):
        for _ in range(_MARKS_MAX):
            read = _read_table(remaining, grid, frame._replace(table=number), height_max)
            if not isinstance(read, Grid):
                break
            grid = read  # noqa: PLW2901 - without the lines that go through words
        else:
            raise TooComplex
        table, remaining = read
        tables.append(table)
    return tables, list(remaining)


def _read_table(words: Sequence[Word], grid: Grid, frame: Frame, height_max: float) -> tuple[Table, list[Word]] | Grid:
    """The table and the words outside of it; or the grid without lines that go through words, to be read again."""
    rows, columns = grid
    width = len(columns) - 1
    cells: list[list[Run]] = [[] for _ in range(width * (len(rows) - 1))]
    overruns: set[int] = set()
    struck: dict[int, list[tuple[int, Run]]] = {}
    outside: list[Word] = []
    top, bottom, left, right = rows[0], rows[-1], columns[0], columns[-1]
    run: Run = []
    run_block = run_line = -1
    run_end = 0.0
    for word in words:
        # Most words follow one of their line in the same cell: only the first one of a run is looked up.
        if word[6] == run_line and word[5] == run_block and word[2] <= run_end:
            run.append(word)
            continue
        x0, y0, x1, y1, _, run_block, run_line, _ = word
        middle = (y0 + y1) / 2
        if y1 - y0 > height_max or not (top < middle < bottom and left < (x0 + x1) / 2 < right):
            outside.append(word)
            run_line = -1
            continue
        row = bisect_right(rows, middle) - 1
        column = bisect_right(columns, (x0 + x1) / 2) - 1
        run_end = columns[column + 1]
        if x0 < columns[column] - _OVERLAP_MAX or x1 > run_end + _OVERLAP_MAX:
            column = max(0, bisect_right(columns, x0 + _OVERLAP_MAX) - 1)
            overruns.add(row)
            run_line = -1
        run = [word]
        cells[row * width + column].append(run)
        reach = (y1 - y0) * _STRUCK_SHARE
        if middle - rows[row] < reach or rows[row + 1] - middle < reach:
            border = row if middle - rows[row] < reach else row + 1
            struck.setdefault(border, []).append((row * width + column, run))
    stray = {border for border in struck if not _is_border(cells, border, width)} - {0, len(rows) - 1}
    if stray:
        return Grid([at for index, at in enumerate(rows) if index not in stray], columns)
    # A cell begins below its border, so what is on the border is the last line of the cell above.
    hanging = [
        (cell, run) for border, runs in struck.items() for cell, run in runs if border and cell // width == border
    ]
    moved = {id(run) for _, run in hanging}
    for cell in {cell for cell, _ in hanging}:
        cells[cell] = [run for run in cells[cell] if id(run) not in moved]
    for cell, hanging_run in hanging:
        cells[cell - width].append(hanging_run)
    found = [
        Row(
            cells[row * width : (row + 1) * width],
            columns,
            (left, rows[row], right, rows[row + 1]),
            frame,
            overrun=row in overruns,
        )
        for row in range(len(rows) - 1)
    ]
    return Table(found, grid, frame), outside


def _is_border(cells: Sequence[Sequence[Run]], border: int, width: int) -> bool:
    """Whether a line through words is a rule all the same: a row with a module of its own begins above and below it."""
    bands = (cells[(border - 1) * width : border * width], cells[border * width : (border + 1) * width])
    return all(
        any(_MODULE.match(" ".join([word[4] for word in run[:2]])) for cell in band for run in cell) for band in bands
    )


def _lines(runs: list[Run]) -> list[Run]:
    """Runs of words to printed lines, top to bottom."""
    if len(runs) == 1:
        return runs
    runs.sort(key=_top)
    lines: list[list[Run]] = [[runs[0]]]
    for run in runs[1:]:
        above, word = lines[-1][0][0], run[0]
        if word[1] + word[3] - above[1] - above[3] < 2 * _LINE_SHARE * (word[3] - word[1]):
            lines[-1].append(run)
        else:
            lines.append([run])
    return [line[0] if len(line) == 1 else _without_repeats(sorted(chain.from_iterable(line))) for line in lines]


def _overlap(lines: Sequence[Run]) -> bool:
    return any(other[0] < one[2] - _OVERLAP_MAX for line in lines for one, other in pairwise(line))


def _usual_height(words: Sequence[Word]) -> float:
    heights = sorted([word[3] - word[1] for word in words[:: 1 + len(words) // _SAMPLE]])
    return heights[len(heights) // 2] if heights else 0.0


def _without_repeats(line: Run) -> Run:
    """One word where the same one is printed twice in the same place."""
    distinct = line[:1]
    for word in line[1:]:
        reach = (word[3] - word[1]) * _REPEAT_SHARE
        if not any(word[4] == other[4] and abs(word[0] - other[0]) < reach for other in distinct[-2:]):
            distinct.append(word)
    return distinct


def _top(run: Run) -> float:
    return run[0][1] + run[0][3]


def _line(words: Run, left: float, right: float, frame: Frame) -> Line:
    x0, y0, x1, y1, text, _, _, _ = words[0]
    first_width = x1 - x0
    blank = 0.0
    if len(words) > 1:
        text = " ".join([word[4] for word in words])
        blank = words[1][0] - x1
        x1 = words[-1][2]
    # The padding at the right of a cell equals that at the left.
    return Line(text, (x0, y0, x1, y1), right + left - x0 - x1, first_width, blank, frame)
