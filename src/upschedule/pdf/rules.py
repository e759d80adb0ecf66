"""Finds the rules of a table: merges thin filled rectangles and stroked lines, in any order, to whole lines."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import NamedTuple

from upschedule.pdf.frame import Rect

#: A filled rectangle thicker than this (points) is shading, not a rule.
THICKNESS_MAX = 3.0
#: Pieces of one rule lie this close (points); two rules of a table never do.
_TOUCHING = 2.0


class Rule(NamedTuple):
    """A straight line: `at` is its x if vertical and its y if horizontal, `start` to `end` its reach."""

    at: float
    start: float
    end: float


class Rules(NamedTuple):
    """The rules of one page; `styles` are the same ones by how they are drawn, where there are several ways."""

    horizontal: list[Rule]
    vertical: list[Rule]
    styles: tuple["Rules", ...] = ()


class Stroke(NamedTuple):
    """A path's extent; `outline` when only its edges are drawn. Strokes of one `style` have the same colour."""

    rect: Rect
    outline: bool
    style: int = 0


def find_rules(strokes: Iterable[Stroke]) -> Rules:
    """Merge what is drawn piece by piece, such as cell by cell, to whole rules."""
    styles: dict[tuple[int, bool], list[Stroke]] = {}
    for stroke in strokes:
        styles.setdefault((stroke.style, stroke.outline), []).append(stroke)
    found = [_pieces(style) for style in styles.values()]
    if len(found) == 1:
        across, down = found[0]
        return Rules(merge(across), merge(down))
    horizontal = [rule for across, _ in found for rule in across]
    vertical = [rule for _, down in found for rule in down]
    return Rules(merge(horizontal), merge(vertical), tuple(Rules(merge(across), merge(down)) for across, down in found))


def _pieces(strokes: Iterable[Stroke]) -> tuple[list[Rule], list[Rule]]:
    horizontal: list[Rule] = []
    vertical: list[Rule] = []
    for (left, top, right, bottom), outline, _ in strokes:
        if bottom - top <= min(THICKNESS_MAX, right - left):
            horizontal.append(Rule((top + bottom) / 2, left, right))
        elif right - left <= THICKNESS_MAX:
            vertical.append(Rule((left + right) / 2, top, bottom))
        elif outline:
            horizontal += (Rule(top, left, right), Rule(bottom, left, right))
            vertical += (Rule(left, top, bottom), Rule(right, top, bottom))
    return horizontal, vertical


def merge(pieces: list[Rule]) -> list[Rule]:
    """Join pieces of one line, and lines that touch side by side."""
    pieces.sort()
    merged: list[Rule] = []
    aligned: list[Rule] = []
    for piece in pieces:
        if aligned and piece.at - aligned[0].at > _TOUCHING:
            merged += _join(aligned)
            aligned = []
        aligned.append(piece)
    return merged + _join(aligned)


def _join(aligned: list[Rule]) -> list[Rule]:
    """Join pieces that lie on one line where they touch. Rules beside each other keep their own heights."""
    if len(aligned) < 2:  # noqa: PLR2004 - nothing to join
        return aligned
    joined: list[Rule] = []
    low = high = 0.0
    for at, start, end in sorted(aligned, key=itemgetter(1)):
        if joined and start <= joined[-1].end + _TOUCHING:
            low, high = min(low, at), max(high, at)
            joined[-1] = Rule((low + high) / 2, joined[-1].start, max(joined[-1].end, end))
        else:
            low = high = at
            joined.append(Rule(at, start, end))
    return joined


def is_near(at: float, places: Sequence[float], reach: float) -> bool:
    """Whether one of the places, which ascend, is no farther away than `reach` points."""
    index = bisect_left(places, at)
    return any(abs(at - place) <= reach for place in places[max(0, index - 1) : index + 1])
