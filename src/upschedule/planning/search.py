"""Finds the cheapest ways to give each of several variables one of its values. Exact, by branch and bound.

Costs are of one value, of two values together, and of what all values together do to a day. Nothing here knows
what a variable means. See docs/decisions/0037-exact-group-choice.md.
"""

import heapq
from collections.abc import Callable, Mapping, Sequence
from math import inf
from operator import add
from typing import NamedTuple, Protocol

import msgspec

#: The number of nodes between two readings of the clock.
_NODES_PER_LOOK = 64
#: The part of the time in which bounds are prepared; the rest finds assignments.
_PREPARATION_SHARE = 0.8
#: More variables in one part are not searched: their first assignment is answered, as not proven.
_VARIABLES_MAX = 150
#: Of the search for a first assignment.
_ROUNDS_MAX = 20

#: The value chosen for each variable.
Assignment = tuple[int, ...]
#: By value of the first variable, then by value of the second.
PairCosts = Sequence[Sequence[int]]
#: The slots of time that are used on each kind of day, a bit for each.
Occupied = Mapping[int, int]


class DayCost(Protocol):
    """The cost of a kind of day by what is occupied on it, never less than zero."""

    def at_least(self, day: int, occupied: int, slots_more: int) -> int:
        """A bound for any addition of at most `slots_more` slots; exact without one. `occupied` is not empty."""
        ...


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """`single[v][a]` is the cost of value `a`; `pairs[v, w]`, with v < w, the costs of two values together.

    `occupied[v][a]` and `day_cost` are about whole days, on which `always` is occupied as well; `day_cost` None makes
    them free. Every variable has a value.
    """

    single: Sequence[Sequence[int]]
    pairs: Mapping[tuple[int, int], PairCosts]
    occupied: Sequence[Sequence[Occupied]]
    always: Occupied = {}
    day_cost: DayCost | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits the search: it ends after this number of nodes or seconds, with the best result so far.

    Counting what has no clash is given up after `count_steps_max` steps.
    """

    nodes_max: int
    seconds_max: float
    count_steps_max: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The cheapest assignments with their costs, cheapest first. `proven`: there are no cheaper ones.

    No assignment costs less than `at_least`.
    """

    best: tuple[tuple[int, Assignment], ...]
    at_least: int
    proven: bool
    nodes: int


class _Exhausted(Exception):
    """A limit is reached."""


class _Budget:
    """What is left of the limits. `clock` gives seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._start = clock()
        self.nodes = 0
        self.allow(1.0)

    def allow(self, share: float) -> None:
        """Limits the search to this share of the remaining time and nodes. After that, `spend` raises."""
        elapsed = self._clock() - self._start
        self._seconds = elapsed + max(self._limits.seconds_max - elapsed, 0.0) * share
        self._nodes = self.nodes + max(self._limits.nodes_max - self.nodes, 0) * share

    def spend(self) -> None:
        """Counts a node. Raises _Exhausted."""
        self.nodes += 1
        if self.nodes > self._nodes:
            raise _Exhausted
        if self.nodes % _NODES_PER_LOOK == 0 and self._clock() - self._start > self._seconds:
            raise _Exhausted


def search(problem: Problem, *, wanted: int, limits: Limits, clock: Callable[[], float]) -> Found:
    """The `wanted` cheapest assignments. At least one is found, however low the limits are."""
    budget = _Budget(limits, clock)
    proven, at_least = True, 0
    joined: list[tuple[int, Assignment]] = [(0, ())]
    order: list[int] = []
    parts = _parts(problem)
    for number, part in enumerate(parts):
        searched = _Part(problem, part, budget)
        best, complete = searched.solve(wanted, share=1 / (len(parts) - number))
        proven &= complete
        at_least += best[0][0] if complete else searched.at_least
        order += searched.variables
        sums = ((cost + more, chosen + added) for cost, chosen in joined for more, added in best)
        joined = heapq.nsmallest(wanted, sums)
    back = sorted(range(len(order)), key=order.__getitem__)
    ordered = tuple((cost, tuple(chosen[place] for place in back)) for cost, chosen in joined)
    return Found(best=ordered, at_least=at_least, proven=proven, nodes=budget.nodes)


def _parts(problem: Problem) -> list[list[int]]:
    """The variables in parts that share no cost: each is solved alone."""
    leader = list(range(len(problem.single)))

    def find(variable: int) -> int:
        while leader[variable] != variable:
            leader[variable] = leader[leader[variable]]
            variable = leader[variable]
        return variable

    for (first, second), costs in problem.pairs.items():
        if any(any(row) for row in costs):
            leader[find(first)] = find(second)
    if problem.day_cost is not None:
        of_day: dict[int, int] = {}
        for variable, values in enumerate(problem.occupied):
            for day in {day for occupied in values for day in occupied}:
                leader[find(variable)] = find(of_day.setdefault(day, variable))
    parts: dict[int, list[int]] = {}
    for variable in range(len(leader)):
        parts.setdefault(find(variable), []).append(variable)
    return list(parts.values())


class _Part:
    """The search in variables that depend on each other, in a fixed order.

    A partial assignment is given up if its cost, with the least that the other variables add, is no better than the
    worst assignment that is kept. Two bounds on that least are compared. One adds for each variable the cheapest value,
    with what it costs together with the cheapest value of every variable after it. The other takes the optimum of the
    variables that are left, which is found before: of the last variable, of the last two, and so on ("Russian doll
    search", Verfaillie, Lemaître and Schiex 1996).
    """

    def __init__(self, problem: Problem, variables: Sequence[int], budget: _Budget) -> None:
        self._budget = budget
        self.variables = _ordered(problem, variables)
        self._count = len(self.variables)
        self._single = [list(problem.single[v]) for v in self.variables]
        self._later = [
            [
                (j, costs)
                for j in range(i + 1, self._count)
                if (costs := _pair(problem, first, self.variables[j])) is not None
            ]
            for i, first in enumerate(self.variables)
        ]
        # The least that each value costs with all variables after its own.
        self._ahead = [
            [cost + sum(min(costs[value]) for _, costs in self._later[i]) for value, cost in enumerate(single)]
            for i, single in enumerate(self._single)
        ]
        self._day_cost = problem.day_cost
        self._days = [[dict(occupied) for occupied in problem.occupied[v]] for v in self.variables]
        self._most = self._slots_after()
        mine = self._most[0].keys()
        self._always = {day: slots for day, slots in problem.always.items() if day in mine}
        self._dolls: list[int] = [0] * (self._count + 1)

    def solve(self, wanted: int, *, share: float) -> tuple[list[tuple[int, Assignment]], bool]:
        """The best assignments, by the order of `variables`, and whether they are proven.

        `share` is the part of the remaining limits that may be spent.
        """
        first = self._local_optimum()
        if self._count > _VARIABLES_MAX:
            return [first], False
        self._budget.allow(share * _PREPARATION_SHARE)
        kept = _Kept(wanted, min(first, self._prepare() or first))
        self._budget.allow(share)
        try:
            occupied = self._always if self._day_cost else None
            self._descend(0, _Reached(0, self._nothing(), occupied), [], kept)
        except _Exhausted:
            return kept.sorted(), False
        return kept.sorted(), True

    def _slots_after(self) -> list[dict[int, int]]:
        """For each place in the order, the most slots that the variables from there on can occupy, by day."""
        found: list[dict[int, int]] = [{}]
        for values in reversed(self._days):
            more = dict(found[-1])
            for day in {day for value in values for day in value}:
                more[day] = more.get(day, 0) + max(value.get(day, 0).bit_count() for value in values)
            found.append(more)
        return found[::-1]

    def _nothing(self) -> list[list[int]]:
        return [[0] * len(single) for single in self._single]

    @property
    def at_least(self) -> int:
        """A lower bound of the costs of all assignments."""
        return self._dolls[0]

    def _prepare(self) -> tuple[int, Assignment] | None:
        """Finds the optima of the last variables; where time runs out, that of fewer is a bound for more.

        Returns an assignment that is the best if days cost nothing, None if there was not enough time.
        """
        best: Assignment = ()
        nothing = self._nothing()
        for start in range(self._count - 1, -1, -1):
            # The optimum of one variable less, with any value of this one, is a first assignment.
            extended = [(value, *best) for value in range(len(self._single[start]))]
            kept = _Kept(1, min((self._cost(chosen, start), chosen) for chosen in extended))
            try:
                self._descend(start, _Reached(0, nothing, None), [], kept)
            except _Exhausted:
                self._dolls[: start + 1] = [self._dolls[start + 1]] * (start + 1)
                return None
            self._dolls[start], best = kept.sorted()[0]
        return self._cost_with_days(best), best

    def _descend(self, at: int, reached: "_Reached", chosen: list[int], kept: "_Kept") -> None:
        """Tries all values of the variables from `at` on; `chosen` are those of the variables before, for `kept`."""
        cost, past, occupied = reached
        if at == self._count:
            kept.add(cost if occupied is None else cost + self._of_days(occupied, at), tuple(chosen))
            return
        own, here, ahead = self._single[at], past[at], self._ahead[at]
        for value in sorted(range(len(own)), key=lambda a: (here[a] + ahead[a], a)):
            self._budget.spend()
            total = cost + own[value] + here[value]
            if total + self._dolls[at + 1] >= kept.worst:
                continue
            after = past
            if self._later[at]:
                after = past.copy()
                for j, costs in self._later[at]:
                    after[j] = list(map(add, past[j], costs[value]))
            least = total + self._dolls[at + 1] + sum(map(min, after[at + 1 :]))
            if least >= kept.worst:
                continue
            cheapest = [min(map(add, after[j], self._ahead[j])) for j in range(at + 1, self._count)]
            least = max(least, total + sum(cheapest))
            if least >= kept.worst:
                continue
            days = None
            if occupied is not None:
                days = _joined(occupied, self._days[at][value])
                if least + self._of_days(days, at + 1) >= kept.worst:
                    continue
            chosen.append(value)
            self._descend(at + 1, _Reached(total, after, days), chosen, kept)
            chosen.pop()

    def _of_days(self, occupied: Mapping[int, int], at: int) -> int:
        """The least cost of the days, once the variables before `at` have values."""
        if self._day_cost is None:
            return 0
        at_least, more = self._day_cost.at_least, self._most[at]
        return sum([at_least(day, slots, more.get(day, 0)) for day, slots in occupied.items()])

    def _cost(self, chosen: Sequence[int], start: int = 0) -> int:
        """The cost of these values for the variables from `start` on, without the costs of days."""
        total = 0
        for i, value in enumerate(chosen, start):
            total += self._single[i][value]
            for j, costs in self._later[i]:
                total += costs[value][chosen[j - start]]
        return total

    def _cost_with_days(self, chosen: Sequence[int]) -> int:
        occupied = self._always
        for i, value in enumerate(chosen):
            occupied = _joined(occupied, self._days[i][value])
        return self._cost(chosen) + self._of_days(occupied, self._count)

    def _local_optimum(self) -> tuple[int, Assignment]:
        """An assignment in which, days left aside, no change of a single value costs less."""
        chosen = [min(range(len(ahead)), key=ahead.__getitem__) for ahead in self._ahead]
        around: list[list[tuple[int, PairCosts]]] = [list(later) for later in self._later]
        for i, later in enumerate(self._later):
            for j, costs in later:
                around[j].append((i, list(zip(*costs, strict=True))))
        for _ in range(_ROUNDS_MAX):
            before = list(chosen)
            for i, single in enumerate(self._single):
                costs = list(single)
                for j, rows in around[i]:
                    costs = [cost + row[chosen[j]] for cost, row in zip(costs, rows, strict=True)]
                if min(costs) < costs[chosen[i]]:
                    chosen[i] = costs.index(min(costs))
            if chosen == before:
                break
        return self._cost_with_days(chosen), tuple(chosen)


class _Reached(NamedTuple):
    """A partial assignment: its cost, what it costs with each value of the other variables, and what it occupies.

    `occupied` None: days cost nothing.
    """

    cost: int
    past: list[list[int]]
    occupied: Mapping[int, int] | None


class _Kept:
    """The cheapest assignments until now, at most `wanted`."""

    def __init__(self, wanted: int, first: tuple[int, Assignment]) -> None:
        self._wanted = wanted
        self._found = [first]
        self._set_worst()

    def add(self, cost: int, chosen: Assignment) -> None:
        if (cost, chosen) not in self._found:
            self._found = sorted([*self._found, (cost, chosen)])[: self._wanted]
            self._set_worst()

    def sorted(self) -> list[tuple[int, Assignment]]:
        return self._found

    def _set_worst(self) -> None:
        # While there is room, any assignment is better than none.
        self.worst = self._found[-1][0] if len(self._found) == self._wanted else inf


def _joined(occupied: Mapping[int, int], more: Occupied) -> dict[int, int]:
    joined = dict(occupied)
    for day, slots in more.items():
        joined[day] = joined.get(day, 0) | slots
    return joined


def _ordered(problem: Problem, variables: Sequence[int]) -> list[int]:
    """Those that cost most with the others first: a partial assignment then soon costs too much."""
    weight = dict.fromkeys(variables, 0.0)
    for i, first in enumerate(variables):
        for second in variables[i + 1 :]:
            costs = _pair(problem, first, second)
            if costs is not None:
                mean = sum(map(sum, costs)) / (len(costs) * len(costs[0]))
                weight[first] += mean
                weight[second] += mean
    return sorted(variables, key=lambda variable: (-weight[variable], variable))


def _pair(problem: Problem, first: int, second: int) -> PairCosts | None:
    """The costs by value of `first`, then of `second`; None if they cost nothing together."""
    if first < second:
        return problem.pairs.get((first, second))
    costs = problem.pairs.get((second, first))
    return None if costs is None else list(zip(*costs, strict=True))
