"""The rules of a table: thin filled rectangles and stroked lines, in any order, merged to whole lines."""

from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

from upschedule.pdf.frame import Rect

#: A filled rectangle thicker than this (points) is shading, not a rule.
_THICKNESS_MAX = 3.0
#: Pieces of one rule lie this close (points); two rules of a table never do.
_TOUCHING = 2.0


class Rule(NamedTuple):
    """A straight line: `at` is its x if vertical and its y if horizontal, `start` to `end` its reach."""

    at: float
    start: float
    end: float


class Rules(NamedTuple):
    """The rules of one page."""

    horizontal: list[Rule]
    vertical: list[Rule]


class Stroke(NamedTuple):
    """A path's extent; `outline` when only its edges are drawn."""

    rect: Rect
    outline: bool


def find_rules(strokes: Iterable[Stroke]) -> Rules:
    """Merge what is drawn piece by piece, such as cell by cell, to whole rules."""
    horizontal: list[Rule] = []
    vertical: list[Rule] = []
    for (left, top, right, bottom), outline in strokes:
        if bottom - top <= min(_THICKNESS_MAX, right - left):
            horizontal.append(Rule((top + bottom) / 2, left, right))
        elif right - left <= _THICKNESS_MAX:
            vertical.append(Rule((left + right) / 2, top, bottom))
        elif outline:
            horizontal += (Rule(top, left, right), Rule(bottom, left, right))
            vertical += (Rule(left, top, bottom), Rule(right, top, bottom))
    return Rules(_merge(horizontal), _merge(vertical))


def _merge(pieces: list[Rule]) -> list[Rule]:
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
    """Join pieces that lie on one line where they touch."""
    if len(aligned) < 2:  # noqa: PLR2004 - nothing to join
        return aligned
    at = (aligned[0].at + aligned[-1].at) / 2
    joined: list[Rule] = []
    for _, start, end in sorted(aligned, key=itemgetter(1)):
        if joined and start <= joined[-1].end + _TOUCHING:
            joined[-1] = Rule(at, joined[-1].start, max(joined[-1].end, end))
        else:
            joined.append(Rule(at, start, end))
    return joined
