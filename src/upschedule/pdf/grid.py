"""Rules to grids: rows and columns whose borders cross."""

from bisect import bisect_left
from typing import NamedTuple

from upschedule.pdf.rules import Rule, Rules

#: How far (points) two rules may end short of each other and still meet.
_REACH = 2.0
#: A band or column narrower than this (points) is the space inside a double rule.
_GAP_MIN = 4.0
#: The least part of the table's width that a rule between two rows crosses.
_ROW_RULE_SHARE = 0.5
_COLUMNS_MIN = 2


class Grid(NamedTuple):
    """A table's borders: `rows` are y, `columns` are x, both ascending; n borders make n - 1 bands."""

    rows: list[float]
    columns: list[float]


def find_grids(rules: Rules) -> list[Grid]:
    """Every table on the page, top to bottom. A change of columns starts another grid."""
    grids: list[Grid] = []
    for horizontal, vertical in _connected(rules):
        if len(horizontal) > 1 and len(vertical) > _COLUMNS_MIN:
            grids += _bands(horizontal, vertical)
    return sorted(grids)


def _connected(rules: Rules) -> list[tuple[list[Rule], list[Rule]]]:
    """Sets of rules that cross: a frame around the page is not part of the table inside."""
    heights = [rule.at for rule in rules.horizontal]
    owner = list(range(len(heights)))

    def root(index: int) -> int:
        while owner[index] != index:
            owner[index] = owner[owner[index]]
            index = owner[index]
        return index

    touching: list[tuple[Rule, int]] = []
    for rule in rules.vertical:
        first = None
        for index in range(bisect_left(heights, rule.start - _REACH), bisect_left(heights, rule.end + _REACH)):
            _, start, end = rules.horizontal[index]
            if start - _REACH <= rule.at <= end + _REACH:
                if first is None:
                    first = root(index)
                else:
                    owner[root(index)] = first
        if first is not None:
            touching.append((rule, first))
    sets: dict[int, tuple[list[Rule], list[Rule]]] = {}
    for index, rule in enumerate(rules.horizontal):
        sets.setdefault(root(index), ([], []))[0].append(rule)
    for rule, first in touching:
        sets[root(first)][1].append(rule)
    return list(sets.values())


def _bands(horizontal: list[Rule], vertical: list[Rule]) -> list[Grid]:
    width = max(rule.end for rule in horizontal) - min(rule.start for rule in horizontal)
    across = [rule for rule in horizontal if rule.end - rule.start >= width * _ROW_RULE_SHARE]
    borders = _row_borders([rule.at for rule in across], vertical)
    grids: list[Grid] = []
    for top, bottom in zip(borders, borders[1:], strict=False):
        columns = _columns_at((top + bottom) / 2, across, vertical)
        if len(columns) <= _COLUMNS_MIN:
            continue
        if grids and grids[-1].columns == columns and grids[-1].rows[-1] == top:
            grids[-1].rows.append(bottom)
        else:
            grids.append(Grid([top, bottom], columns))
    return grids


def _row_borders(heights: list[float], vertical: list[Rule]) -> list[float]:
    """The table's top or bottom may lack its rule: it then ends where the vertical rules end."""
    ends = (min(rule.start for rule in vertical), max(rule.end for rule in vertical))
    return _apart(sorted([*heights, *(end for end in ends if all(abs(end - at) > _GAP_MIN for at in heights))]))


def _columns_at(middle: float, across: list[Rule], vertical: list[Rule]) -> list[float]:
    """The outer borders may be missing: the columns then end where the rules between rows end."""
    columns = [rule.at for rule in vertical if rule.start <= middle <= rule.end]
    if not columns:
        return columns
    near = min(across, key=lambda rule: abs(rule.at - middle))
    if near.start < columns[0] - _GAP_MIN:
        columns.insert(0, near.start)
    if near.end > columns[-1] + _GAP_MIN:
        columns.append(near.end)
    return _apart(columns)


def _apart(borders: list[float]) -> list[float]:
    kept: list[float] = []
    for border in borders:
        if not kept or border - kept[-1] > _GAP_MIN:
            kept.append(border)
    return kept
