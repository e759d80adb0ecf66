"""Lines of one column beside lines of another, within one row."""

import re
from collections.abc import Sequence
from itertools import pairwise

from upschedule.pdf.cells import Line
from upschedule.pdf.layouts.fields import joined

Wrapped = list[Line]


def gather(lines: Sequence[Line], form: re.Pattern[str]) -> list[Wrapped] | None:
    """Lines joined until each text has the form; None if something is left over."""
    gathered: list[Wrapped] = []
    open_lines: Wrapped = []
    for line in lines:
        open_lines.append(line)
        if form.fullmatch(joined(open_lines)):
            gathered.append(open_lines)
            open_lines = []
    return None if open_lines else gathered


def beside(anchors: Sequence[Wrapped], lines: Sequence[Line]) -> list[Wrapped] | None:
    """One line for each anchor; where lines are missing, those that stand at an anchor's height.

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
    apart = abs(one.rect[1] + one.rect[3] - other.rect[1] - other.rect[3]) / 2
    return one.frame.page == other.frame.page and apart < height / 3


def join_wraps(lines: Sequence[Line], wanted: int, beginnings: frozenset[str]) -> list[Wrapped] | None:
    """Lines joined to the number wanted, where breaks can only be wraps; None if that is not certain.

    `beginnings` are first words that are known to begin a text, not to continue one.
    """
    breaks = [index for index, (line, after) in enumerate(pairwise(lines), 1) if line.wraps_to(after)]
    surplus = len(lines) - wanted
    if len(breaks) > surplus:
        breaks = [index for index in breaks if lines[index].text.split(" ")[0] not in beginnings]
    if len(breaks) != surplus:
        return None
    wrapped: list[Wrapped] = []
    for index, line in enumerate(lines):
        if index in breaks:
            wrapped[-1].append(line)
        else:
            wrapped.append([line])
    return wrapped
