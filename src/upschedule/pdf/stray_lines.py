"""Finds stray lines, which were drawn over a table: a box around a row, a line through it, an arrow.

The vertical rules of a table begin at the same height and end at the same height, so they form a frame. The other rules
of the table begin and end where they meet rules of the frame. A stray line begins or ends in another place.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from upschedule.pdf.rules import Rule, Rules, is_near, merge

#: How far (points) the ends of rules that belong together differ.
_MEETING = 2.5
#: The number of equally long vertical rules that make a frame: the narrowest schedule has eight.
_FRAME_MIN = 4
#: A sheet with more frames is not searched for stray lines.
_FRAMES_MAX = 64


class _Side(NamedTuple):
    """The position of a frame across the ruled lines of one direction, and where these begin and end."""

    low: float
    high: float
    ends: list[float]

    def fits(self, rule: Rule) -> bool:
        """Whether the rule is outside of the frame, or begins and ends where rules of the frame cross."""
        if not self.low - _MEETING <= rule.at <= self.high + _MEETING:
            return True
        if rule.end <= self.ends[0] + _MEETING or rule.start >= self.ends[-1] - _MEETING:
            return True
        return is_near(rule.start, self.ends, _MEETING) and is_near(rule.end, self.ends, _MEETING)


class _Frame(NamedTuple):
    """One table: `across` is compared with horizontal rules, `down` with vertical ones."""

    across: _Side
    down: _Side


def without_stray_lines(rules: Rules) -> Rules:
    """The rules that belong to the tables of the page. Returns all rules if the page has no frame."""
    frames = _frames(rules)
    if not 0 < len(frames) <= _FRAMES_MAX:
        return rules
    across, down = [frame.across for frame in frames], [frame.down for frame in frames]
    if _all_fit(rules.horizontal, across) and _all_fit(rules.vertical, down):
        return rules
    # A stray line of another colour or thickness may lie so close to a rule that both were merged into one.
    styles = rules.styles or (rules,)
    return Rules(
        merge([rule for style in styles for rule in style.horizontal if _all_fit([rule], across)]),
        merge([rule for style in styles for rule in style.vertical if _all_fit([rule], down)]),
    )


def _all_fit(rules: Sequence[Rule], sides: Sequence[_Side]) -> bool:
    return all(side.fits(rule) for rule in rules for side in sides)


def _frames(rules: Rules) -> list[_Frame]:
    frames: list[_Frame] = []
    for members in islice(_equally_long(rules.vertical), _FRAMES_MAX + 1):
        top, bottom = members[0].start, members[0].end
        columns = sorted([rule.at for rule in members])
        reaching = [
            rule
            for rule in rules.horizontal
            if top - _MEETING <= rule.at <= bottom + _MEETING
            and rule.start <= columns[1] + _MEETING
            and rule.end >= columns[-2] - _MEETING
        ]
        if not reaching:
            continue
        # The outer rules may be missing: most of the horizontal ones then end in the same place.
        ends = sorted({*columns, _usual([rule.start for rule in reaching]), _usual([rule.end for rule in reaching])})
        rows = sorted({top, bottom, *(rule.at for rule in reaching)})
        frames.append(_Frame(_Side(top, bottom, ends), _Side(ends[0], ends[-1], rows)))
    return frames


def _equally_long(rules: Sequence[Rule]) -> Iterator[list[Rule]]:
    """Sets of rules that start and end together."""
    for together in _runs(sorted(rules, key=itemgetter(1)), 1):
        for members in _runs(sorted(together, key=itemgetter(2)), 2):
            if len(members) >= _FRAME_MIN:
                yield members


def _runs(rules: Sequence[Rule], end: int) -> Iterator[list[Rule]]:
    run: list[Rule] = []
    for rule in rules:
        if run and rule[end] - run[0][end] > _MEETING:
            yield run
            run = []
        run.append(rule)
    if run:
        yield run


def _usual(places: Sequence[float]) -> float:
    """The most frequent place, rounded to a point."""
    ((place, _),) = Counter(round(place) for place in places).most_common(1)
    return min(places, key=lambda other: abs(other - place))
