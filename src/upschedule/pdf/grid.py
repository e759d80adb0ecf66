"""Builds grids from rules: the rows and columns of tables, whose borders cross."""

from bisect import bisect_left
from itertools import pairwise
from typing import NamedTuple

from upschedule.pdf.errors import TooComplex
from upschedule.pdf.rules import Rule, Rules
from upschedule.pdf.stray_lines import without_stray_lines

#: How far (points) two rules may end short of each other and still meet.
_REACH = 2.0
#: A band or column narrower than this (points) is the space inside a double rule.
_GAP_MIN = 4.0
#: The least part of the table's width that a rule between two rows crosses.
_ROW_RULE_SHARE = 0.5
_COLUMNS_MIN = 2
#: Sixteen pages on a sheet have 16 tables, with about 50 rules across and 11 down each: 140,000 pairs of rules.
_CROSSINGS_MAX = 500_000
_GRIDS_MAX = 64
#: The number of vertical borders of the schedule with the fewest columns.
_BORDERS_MIN = 8


class Grid(NamedTuple):
    """A table's borders: `rows` are y, `columns` are x, both ascending; n borders make n - 1 bands."""

    rows: list[float]
    columns: list[float]


def find_grids(rules: Rules) -> list[Grid]:
    """Every table on the page, in reading order. A change of columns starts another grid.

    Raises `TooComplex` for more rules or tables than any schedule has.
    """
    if len(rules.horizontal) * len(rules.vertical) > _CROSSINGS_MAX:
        raise TooComplex
    if _is_plain(rules):
        return [Grid([rule.at for rule in rules.horizontal], [rule.at for rule in rules.vertical])]
    if not rules.horizontal:
        return _inside_a_row(rules.vertical)
    grids: list[Grid] = []
    for horizontal, vertical in _connected(without_stray_lines(rules)):
        if len(vertical) > _COLUMNS_MIN:
            grids += _bands(horizontal, vertical)
    if len(grids) > _GRIDS_MAX:
        raise TooComplex
    return _in_reading_order(grids)


def _inside_a_row(vertical: list[Rule]) -> list[Grid]:
    """A page in the middle of a row that is longer than a page shows the borders of its columns only."""
    if len(vertical) < _BORDERS_MIN:
        return []
    top, bottom = vertical[0].start, vertical[0].end
    if any(abs(rule.start - top) > _REACH or abs(rule.end - bottom) > _REACH for rule in vertical):
        return []
    return [Grid([top, bottom], [rule.at for rule in vertical])]


def _in_reading_order(grids: list[Grid]) -> list[Grid]:
    """Sorts tables from top to bottom, and tables side by side (several pages on one sheet) from left to right."""
    bands: list[list[Grid]] = []
    for grid in sorted(grids):
        if bands and grid.rows[0] < max(min(other.rows[-1] for other in bands[-1]), bands[-1][0].rows[0] + _REACH):
            bands[-1].append(grid)
        else:
            bands.append([grid])
    return [grid for band in bands for grid in sorted(band, key=lambda grid: (grid.columns[0], grid.rows[0]))]


def _is_plain(rules: Rules) -> bool:
    """Whether all rules make one table and reach from side to side, as nearly always: no search is needed then."""
    across, down, _ = rules
    if len(across) < 2 or len(down) <= _COLUMNS_MIN:  # noqa: PLR2004 - a row has two
        return False
    return _fill(across, down[0].at, down[-1].at) and _fill(down, across[0].at, across[-1].at)


def _fill(rules: list[Rule], start: float, end: float) -> bool:
    low, high, last = start - _REACH, end + _REACH, rules[0].at - 2 * _GAP_MIN
    for at, begin, finish in rules:
        reaches = low <= begin <= start + _REACH and end - _REACH <= finish <= high
        if not reaches or at - last <= _GAP_MIN:
            return False
        last = at
    return True


def _connected(rules: Rules) -> list[tuple[list[Rule], list[Rule]]]:
    """Sets of rules that cross: a frame around the page is not part of the table inside."""
    heights = [rule.at for rule in rules.horizontal]
    owner = list(range(len(heights)))
    touching: list[tuple[Rule, int]] = []
    for rule in rules.vertical:
        at, first = rule.at, -1
        for index in range(bisect_left(heights, rule.start - _REACH), bisect_left(heights, rule.end + _REACH)):
            _, start, end = rules.horizontal[index]
            if not start - _REACH <= at <= end + _REACH:
                continue
            if first < 0:
                first = _root(owner, index)
            elif owner[index] != first:
                owner[_root(owner, index)] = first
        if first >= 0:
            touching.append((rule, first))
    sets: dict[int, tuple[list[Rule], list[Rule]]] = {}
    for index, rule in enumerate(rules.horizontal):
        sets.setdefault(_root(owner, index), ([], []))[0].append(rule)
    for rule, first in touching:
        sets[_root(owner, first)][1].append(rule)
    return list(sets.values())


def _root(owner: list[int], index: int) -> int:
    while owner[index] != index:
        owner[index] = owner[owner[index]]
        index = owner[index]
    return index


def _bands(horizontal: list[Rule], vertical: list[Rule]) -> list[Grid]:
    grids: list[Grid] = []
    for above, below in pairwise(_row_rules(horizontal, vertical)):
        columns = _columns_between(above, below, vertical)
        if len(columns) <= _COLUMNS_MIN:
            continue
        if grids and grids[-1].columns == columns and grids[-1].rows[-1] == above.at:
            grids[-1].rows.append(below.at)
        else:
            grids.append(Grid([above.at, below.at], columns))
    return grids


def _row_rules(horizontal: list[Rule], vertical: list[Rule]) -> list[Rule]:
    """The rules between rows. The top or bottom rule may be missing: the table ends where the vertical rules end."""
    left, right = min([rule.start for rule in horizontal]), max([rule.end for rule in horizontal])
    rules = [rule for rule in horizontal if rule.end - rule.start >= (right - left) * _ROW_RULE_SHARE]
    if not rules:
        return []
    top, bottom = min([rule.start for rule in vertical]), max([rule.end for rule in vertical])
    if top < rules[0].at - _GAP_MIN:
        rules.insert(0, rules[0]._replace(at=top))
    if bottom > rules[-1].at + _GAP_MIN:
        rules.append(rules[-1]._replace(at=bottom))
    return rules


def _columns_between(above: Rule, below: Rule, vertical: list[Rule]) -> list[float]:
    """The outer borders may be missing: the columns then end where the rules between rows end."""
    middle = (above.at + below.at) / 2
    columns = [rule.at for rule in vertical if rule.start <= middle <= rule.end]
    if not columns or below.at - above.at < _GAP_MIN:
        return []
    left, right = max(above.start, below.start), min(above.end, below.end)
    if left < columns[0] - _GAP_MIN:
        columns.insert(0, left)
    if right > columns[-1] + _GAP_MIN:
        columns.append(right)
    return [at for index, at in enumerate(columns) if not index or at - columns[index - 1] > _GAP_MIN]
