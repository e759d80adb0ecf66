"""Computes the costs of groups: weeks in which classes clash, and wishes that are not met."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product

from upschedule.planning import wishes as weights
from upschedule.planning.groups import Decision, Group
from upschedule.planning.held import MINUTES_PER_SLOT, Dates, Days, Held, gap_slots, monday
from upschedule.planning.search import Problem
from upschedule.planning.wishes import TravelTimes, Wishes
from upschedule.timetable.event import weekday_of

#: The key of all that is attended with every choice.
_ALWAYS = -1
#: An entry with the number of its value, or `_ALWAYS`.
_Placed = tuple[Held, int]


class Costs:
    """A decision with several groups is a variable. Its values are groups, joined where their costs are equal."""

    def __init__(
        self,
        held: Mapping[str, Held],
        decisions: Sequence[Decision],
        wishes: Wishes,
        travel: TravelTimes,
    ) -> None:
        """`held`: all entries that have dates, by id."""
        self._wishes = wishes
        self._travel = travel
        self._held = held
        self.decisions = tuple(decision for decision in decisions if decision.is_open)
        #: By decision: the groups that are one value, with equal hours on one campus.
        self.values = tuple(tuple(self._equal_groups(decision)) for decision in self.decisions)
        undecided = {entry for decision in self.decisions for group in decision.groups for entry in group.entries}
        self._always = [found for entry_id, found in held.items() if entry_id not in undecided]
        self._days = Days(found.dates for found in held.values() if found.is_class)

    def problem(self) -> Problem:
        """A variable for each of `decisions`, with a value for each of its `values`."""
        variable_of = [variable for variable, values in enumerate(self.values) for _ in values]
        first = [variable_of.index(variable) for variable in range(len(self.values))]
        chosen = [self._of_group(groups[0]) for values in self.values for groups in values]
        single = [[0] * len(values) for values in self.values]
        pairs: dict[tuple[int, int], list[list[int]]] = {}
        for value, found in enumerate(chosen):
            variable = variable_of[value]
            single[variable][value - first[variable]] = sum(map(self._alone, found))
        placed = [(held, value) for value, found in enumerate(chosen) for held in found]
        for (a, b), cost in self._together([*placed, *((held, _ALWAYS) for held in self._always)]).items():
            second = variable_of[b]
            if a in (_ALWAYS, b):
                single[second][b - first[second]] += cost
            elif variable_of[a] != second:
                rows = pairs.setdefault(
                    (variable_of[a], second), [[0] * len(self.values[second]) for _ in self.values[variable_of[a]]]
                )
                rows[a - first[variable_of[a]]][b - first[second]] += cost
        occupied = [self._days.occupied(found) for found in chosen]
        costs_of_days = self._wishes.few_gaps or self._wishes.fewest_days
        return Problem(
            single=single,
            pairs=pairs,
            occupied=[occupied[place : place + len(values)] for place, values in zip(first, self.values, strict=True)],
            always=self._days.occupied(self._always),
            day_cost=_CostOfDays(self._days.numbers, self._wishes) if costs_of_days else None,
        )

    def _of_group(self, group: Group) -> list[Held]:
        return [self._held[entry_id] for entry_id in group.entries if entry_id in self._held]

    def _equal_groups(self, decision: Decision) -> Iterator[tuple[Group, ...]]:
        equal: defaultdict[frozenset[tuple[Held, int]], list[Group]] = defaultdict(list)
        for group in decision.groups:
            equal[frozenset(Counter(self._of_group(group)).items())].append(group)
        return map(tuple, equal.values())

    def _alone(self, held: Held) -> int:
        free = sum(weekday_of(date) in self._wishes.free_days for date in held.dates) if self._wishes.free_days else 0
        not_before = self._wishes.not_before
        early = len(held.dates) if not_before and held.start < _minutes(not_before) else 0
        return free * weights.CLASS_ON_FREE_DAY + early * weights.EARLY_CLASS

    def _together(self, placed: Sequence[_Placed]) -> Mapping[tuple[int, int], int]:
        """The costs of pairs of values, by both values with the lower number first.

        Pairs without a cost are left out.
        """
        by_dates: defaultdict[Dates, list[_Placed]] = defaultdict(list)
        for item in sorted(placed, key=lambda item: (item[0].start, item[0].end, item[1])):
            by_dates[item[0].dates].append(item)
        costs: Counter[tuple[int, int]] = Counter()
        campuses = {held.campus for held, _ in placed if held.is_class} - {""}
        for dates, items in by_dates.items():
            self._add(costs, combinations(items, 2), dates, travels=len(campuses) > 1)
        for (dates, items), (others, more) in combinations(by_dates.items(), 2):
            if common := dates & others:
                self._add(costs, product(items, more), common, travels=len(campuses) > 1)
        return costs

    def _add(
        self, costs: Counter[tuple[int, int]], pairs: Iterable[tuple[_Placed, _Placed]], dates: Dates, *, travels: bool
    ) -> None:
        clash = weights.CLASH_WEEK * len(set(map(monday, dates)))
        for (one, a), (other, b) in pairs:
            if one.overlaps(other):
                cost = clash
            elif travels and one.is_class and other.is_class and one.campus != other.campus:
                cost = self._of_travel(one, other) * len(dates)
            else:
                continue
            if cost and not a == b == _ALWAYS:
                costs[min(a, b), max(a, b)] += cost

    def _of_travel(self, one: Held, other: Held) -> int:
        minutes = self._travel.between(one.campus, other.campus)
        if not minutes:
            return 0
        pause = max(other.start - one.end, one.start - other.end)
        short = self._wishes.travel and pause < minutes
        return short * weights.SHORT_TRAVEL + self._wishes.one_campus * weights.OTHER_CAMPUS


class _CostOfDays:
    def __init__(self, numbers: Sequence[int], wishes: Wishes) -> None:
        self._numbers = numbers
        self._per_slot = MINUTES_PER_SLOT * wishes.few_gaps
        self._per_day = weights.DAY_WITH_CLASSES * wishes.fewest_days

    def at_least(self, day: int, occupied: int, slots_more: int) -> int:
        """Slots that are added can fill gaps, and cannot make the day shorter."""
        gaps = gap_slots(occupied) - slots_more
        return self._numbers[day] * (self._per_day + (self._per_slot * gaps if gaps > 0 else 0))


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])
