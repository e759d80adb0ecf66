"""Pairs the lines of one column with those of another, within one row."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from upschedule.pdf.cells import Line
from upschedule.pdf.layouts.fields import joined

Wrapped = list[Line]

#: No name ends like this.
OPEN_ENDS = ("-", ",", "(", "/", "&")
#: Floor and room, at the end of a name.
_ROOM_NUMBER = re.compile(r"\d-\d+$")
_PASSES = 2
#: The largest number of lines of one printed period of time.
_WRAPPED_MAX = 6


def gather(lines: Sequence[Line], form: re.Pattern[str]) -> list[Wrapped] | None:
    """Lines joined until each text has the form; None if something is left over."""
    gathered: list[Wrapped] = []
    open_lines: Wrapped = []
    for line in lines:
        open_lines.append(line)
        if form.fullmatch(joined(open_lines)):
            gathered.append(open_lines)
            open_lines = []
        elif len(open_lines) > _WRAPPED_MAX:
            return None
    return None if open_lines else gathered


def beside(anchors: Sequence[Wrapped], lines: Sequence[Line]) -> list[Wrapped] | None:
    """One line for each anchor; where lines are missing, those at an anchor's height.

    None if they cannot be paired.
    """
    if len(lines) == len(anchors):
        return [[line] for line in lines]
    if len(lines) > len(anchors):
        return None
    paired: list[Wrapped] = [[] for _ in anchors]
    for line in lines:
        level = [index for index, anchor in enumerate(anchors) if _level(anchor[0], line)]
        if len(level) != 1:
            return None
        paired[level[0]].append(line)
    return paired


def _level(one: Line, other: Line) -> bool:
    """Baselines of one line differ by up to 2 points between columns, those of two lines by a word's height."""
    height = one.rect[3] - one.rect[1]
    apart = abs(_middle(one) - _middle(other))
    return one.frame == other.frame and apart < height / 3


def blanks_before(lines: Sequence[Line], anchors: Sequence[Line]) -> list[int]:
    """How many lines of a cell stay blank before each of its lines, where each anchor begins a line of its own."""
    places: list[int] = []
    first = 0
    # Each piece of a row that was cut has heights of its own; pieces come in their order.
    for frame in dict.fromkeys(line.frame for line in (*anchors, *lines)):
        own = [_middle(line) for line in lines if line.frame == frame]
        others = [_middle(line) for line in anchors if line.frame == frame]
        leading = _leading(own, others)
        if leading <= 0:
            places += range(first, first + len(own))
            first += max(len(own), len(others))
            continue
        top = min(own + others)
        found = _line_numbers(own, top, leading)
        places += [first + number for number in found]
        first += max([*found, *_line_numbers(others, top, leading)], default=-1) + 1
    return [max(0, after - one - 1) for one, after in pairwise([-1, *places])]


def _leading(own: Sequence[float], others: Sequence[float]) -> float:
    """The distance between two lines: the usual one between anchors, or a smaller one in the cell itself."""
    steps = sorted(after - one for one, after in pairwise(others))
    usual = steps[len(steps) // 2 : len(steps) // 2 + 1]
    return min([*usual, *(after - one for one, after in pairwise(own))], default=0.0)


def _line_numbers(heights: Sequence[float], top: float, leading: float) -> list[int]:
    """Which line each height is.

    Steps are rounded one by one: the leading of another column may differ a little, and such differences add up.
    """
    numbers: list[int] = []
    number, before = 0, top
    for height in heights:
        number += max(1 if numbers else 0, round((height - before) / leading))
        numbers.append(number)
        before = height
    return numbers


def _middle(line: Line) -> float:
    return (line.rect[1] + line.rect[3]) / 2


class Wraps(NamedTuple):
    """Facts from the unambiguous rows of a schedule: first words of texts, and pairs of lines that are one text."""

    beginnings: set[str]
    pairs: set[tuple[str, str]]


def learn_wraps(cells: Iterable[tuple[Sequence[Line], int]]) -> Wraps:
    """Learns from the lines of each cell and its number of texts; unambiguous cells come first and explain others."""
    known = Wraps(set(), set())
    wrapped: list[tuple[Sequence[Line], int]] = []
    for lines, wanted in cells:
        if len(lines) == wanted:
            known.beginnings.update([_first_word(line) for line in lines])
        else:
            wrapped.append((lines, wanted))
    for lines, _ in wrapped:
        breaks = _breaks(lines)
        known.beginnings.update(_first_word(line) for index, line in enumerate(lines) if index not in breaks)
    for _ in range(_PASSES):
        for lines, wanted in wrapped:
            for text in join_wraps(lines, wanted, known) or ():
                known.beginnings.add(_first_word(text[0]))
                known.pairs.update((line.text, after.text) for line, after in pairwise(text))
    return known


def join_wraps(
    lines: Sequence[Line], wanted: int, known: Wraps, blanks: Sequence[int] | None = None
) -> list[Wrapped] | None:
    """Lines joined to the number wanted, where breaks can only be wraps; None if that is not certain.

    `blanks` are texts that are empty, before each line; they count as wanted.
    """
    blanks = blanks or [0] * len(lines)
    surplus = len(lines) + sum(blanks) - wanted
    candidates = [index for index in _breaks(lines) if not blanks[index]]
    ranked = sorted((_wrap_cost(lines[index - 1], lines[index], known), index) for index in candidates)
    if not 0 <= surplus <= len(ranked) or (0 < surplus < len(ranked) and ranked[surplus - 1][0] == ranked[surplus][0]):
        return None
    breaks = {index for _, index in ranked[:surplus]}
    wrapped: list[Wrapped] = []
    for index, line in enumerate(lines):
        if index in breaks:
            wrapped[-1].append(line)
        else:
            wrapped += [[] for _ in range(blanks[index])]
            wrapped.append([line])
    return wrapped


def _breaks(lines: Sequence[Line]) -> list[int]:
    """The lines before which the break can be a wrap."""
    return [index for index, (line, after) in enumerate(pairwise(lines), 1) if line.wraps_to(after)]


def _wrap_cost(line: Line, after: Line, known: Wraps) -> int:
    """The cost of taking two lines for one text, from 0 (likely) to 2 (unlikely)."""
    # A name begins with a letter, even if a row that was misjudged as certain suggests otherwise.
    if (line.text, after.text) in known.pairs or line.text.endswith(OPEN_ENDS) or not after.text[0].isalpha():
        return 0
    if _first_word(after) in known.beginnings or _ROOM_NUMBER.search(line.text):
        return 2
    return 1 if after.text[0].isupper() else 0


def _first_word(line: Line) -> str:
    return line.text.split(" ")[0]
