"""Groups to choose from, made up, and a reference that tries every combination of them day by day."""

import datetime as dt
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from tests.support.builders.timetable import academic_year, lecture
from upschedule.planning.search import Limits
from upschedule.planning.wishes import (
    CLASS_ON_FREE_DAY,
    DAY_WITH_CLASSES,
    EARLY_CLASS,
    OTHER_CAMPUS,
    SHORT_TRAVEL,
    TravelTimes,
    Wishes,
)
from upschedule.timetable.academic_year import AcademicYear
from upschedule.timetable.event import DAYS, Event, Lecture
from upschedule.timetable.occurrences import Occurrence, occurrences
from upschedule.timetable.text import campus_of

#: So many that no test ends at them.
UNLIMITED = Limits(nodes_max=10**9, seconds_max=1e9, count_steps_max=10**9)
TRAVEL = TravelTimes.parse(["Hatfield - Groenkloof: 20", "HATF - Prinshof: 45"], otherwise=60)
#: The first and the last hour at which a class of each kind begins, how long it is, and how many there are a week.
_CLASSES = {"L": ("G", 50, 3), "P": ("P", 170, 1), "T": ("T", 80, 1)}

Named = Sequence[tuple[str, Event]]


def dated(named: Named, year: AcademicYear | None = None) -> Mapping[str, tuple[Occurrence, ...]]:
    """The dates of all entries in 2026, or another year."""
    return {key: occurrences(event, year or academic_year(), exam_minutes=180) for key, event in named}


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def random_modules(
    seed: int, *, modules: int, groups: int, offered: Sequence[str] = ("S1", "S2")
) -> list[tuple[str, Event]]:
    """Modules with lectures, practicals and tutorials, each in so many groups; their terms in turn."""
    rng = Random(seed)  # noqa: S311 - varied, not secret
    found: list[tuple[str, Event]] = []
    for module, kind, group in itertools.product(range(modules), _CLASSES, range(groups)):
        letter, length, number = _CLASSES[kind]
        for place, day in enumerate(rng.sample(DAYS[:5], number), 1):
            start = rng.randrange(7, 17 - length // 60) * 60 + 30
            event = lecture(
                module=f"ABC {module + 100}",
                offered=offered[module % len(offered)],
                group=f"{letter}{group + 1:02}",
                activity=f"{kind}{place}",
                day=day,
                start=clock(start),
                end=clock(start + length),
            )
            found.append((f"e{len(found)}", event))
    return found


def every_combination(named: Named) -> Iterator[list[str]]:
    """The entries of each way to take one group a module and kind of class, with everything that is no class."""
    groups: defaultdict[tuple[str, str], defaultdict[tuple[str, str], list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for key, event in named:
        if isinstance(event, Lecture):
            groups[event.module, event.activity[0]][event.group, event.language].append(key)
    always = [key for key, event in named if not isinstance(event, Lecture)]
    for picked in itertools.product(*(of_kind.values() for of_kind in groups.values())):
        yield [*always, *itertools.chain.from_iterable(picked)]


def clash_weeks(entries: Sequence[str], dates: Mapping[str, Sequence[Occurrence]]) -> int:
    """For each two entries, the weeks in which they overlap."""
    total = 0
    for first, second in itertools.combinations(entries, 2):
        weeks = {
            one.start.isocalendar()[:2]
            for one in dates[first]
            for other in dates[second]
            if one.start < other.end and other.start < one.end
        }
        total += len(weeks)
    return total


def penalty(entries: Sequence[str], named: Named, dates: Mapping[str, Sequence[Occurrence]], wishes: Wishes) -> int:
    """What the wishes cost, day by day."""
    events = dict(named)
    days: defaultdict[dt.date, list[tuple[int, int, str]]] = defaultdict(list)
    for key in entries:
        if isinstance(event := events[key], Lecture):
            for found in dates[key]:
                minutes = [moment.hour * 60 + moment.minute for moment in (found.start, found.end)]
                days[found.start.date()].append((minutes[0], minutes[1], campus_of(event)))
    return sum(_of_day(date, sorted(held), wishes) for date, held in days.items())


def _of_day(date: dt.date, held: list[tuple[int, int, str]], wishes: Wishes) -> int:
    total = DAY_WITH_CLASSES * wishes.fewest_days
    if DAYS[date.weekday()] in wishes.free_days:
        total += CLASS_ON_FREE_DAY * len(held)
    if wishes.not_before:
        total += EARLY_CLASS * sum(clock(start) < wishes.not_before for start, _, _ in held)
    if wishes.few_gaps:
        busy = {minute for start, end, _ in held for minute in range(start, end)}
        total += max(busy) + 1 - min(busy) - len(busy)
    for (start, end, here), (later, until, there) in itertools.combinations(held, 2):
        apart = end <= later or until <= start
        way = TRAVEL.between(here, there)
        if apart and way:
            total += OTHER_CAMPUS * wishes.one_campus
            total += SHORT_TRAVEL * (wishes.travel and max(later - end, start - until) < way)
    return total


def times_of(entries: Sequence[str], named: Named) -> tuple[object, ...]:
    """Equal for combinations that differ in groups at the same times only."""
    events = dict(named)
    held = Counter(
        (event.module, event.activity[0], event.day, event.start, event.end, event.campus)
        for key in entries
        if isinstance(event := events[key], Lecture)
    )
    return tuple(sorted(held.items()))
