"""Counts the combinations of values in which no two values exclude each other. Exact, or given up at a limit."""

from collections.abc import Iterable, Mapping, Sequence

#: Values by number, a bit for each.
_Values = int


class _TooMany(Exception):
    """The count needs more steps than are allowed."""


def count(
    excluded: Sequence[Sequence[bool]],
    excluding: Mapping[tuple[int, int], Sequence[Sequence[bool]]],
    times: Sequence[Sequence[int]],
    *,
    steps_max: int,
) -> int | None:
    """The number of combinations in which no value excludes another; None if more than `steps_max` steps are needed.

    `excluded[v][a]`: the value `a` of variable `v` is in no combination. `excluding[v, w][a][b]`: the two values are in
    no combination together. A value counts `times[v][a]` times.
    """
    allowed = [_bits(not out for out in row) for row in excluded]
    without: list[dict[int, list[_Values]]] = [{} for _ in excluded]
    for (first, second), rows in excluding.items():
        if any(any(row) for row in rows):
            without[first][second] = [~_bits(row) for row in rows]
            without[second][first] = [~_bits(column) for column in zip(*rows, strict=True)]
    counter = _Counter(without, times, steps_max)
    try:
        return counter.count(list(range(len(allowed))), allowed)
    except _TooMany:
        return None


class _Counter:
    def __init__(
        self, without: Sequence[Mapping[int, Sequence[_Values]]], times: Sequence[Sequence[int]], steps_max: int
    ) -> None:
        self._without = without
        self._times = times
        self._left = steps_max

    def count(self, variables: list[int], allowed: list[_Values]) -> int:
        """The number of combinations of these variables.

        Variables that exclude no values of each other are counted separately and multiplied.
        """
        total = 1
        for part in self._parts(variables):
            total *= self._count_part(part, allowed)
            if not total:
                break
        return total

    def _count_part(self, variables: list[int], allowed: list[_Values]) -> int:
        variable = min(variables, key=lambda v: (allowed[v].bit_count(), -len(self._without[v]), v))
        rest = [other for other in variables if other != variable]
        total = 0
        for value, times in enumerate(self._times[variable]):
            if not allowed[variable] >> value & 1:
                continue
            self._left -= 1
            if self._left < 0:
                raise _TooMany
            after = list(allowed)
            for other, masks in self._without[variable].items():
                after[other] &= masks[value]
            if all(after[other] for other in rest):
                total += times * self.count(rest, after)
        return total

    def _parts(self, variables: list[int]) -> list[list[int]]:
        left = dict.fromkeys(variables)
        parts: list[list[int]] = []
        while left:
            first = next(iter(left))
            del left[first]
            part = [first]
            for variable in part:
                for other in [other for other in self._without[variable] if other in left]:
                    del left[other]
                    part.append(other)
            parts.append(part)
        return parts


def _bits(flags: Iterable[bool]) -> _Values:
    return sum(1 << place for place, flag in enumerate(flags) if flag)
