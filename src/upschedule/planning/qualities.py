"""Measures a timetable: clashes, free days, gaps, and changes of campus."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import combinations

import msgspec

from upschedule.planning.held import MINUTES_PER_SLOT, Days, Held, gap_slots, monday
from upschedule.planning.wishes import TravelTimes
from upschedule.timetable.clash import Clash
from upschedule.timetable.event import DAYS, Day

_WORKING_DAYS = 5


class Qualities(msgspec.Struct, frozen=True, kw_only=True):
    """`clash_weeks`: for each two entries that clash, the weeks in which they do, added.

    `weeks_with_clash` are Mondays, `campus_days` days with classes on several campuses, `short_travels` pairs of
    classes on a day between which there is not enough time for the way.
    """

    clashes: tuple[Clash, ...]
    clash_weeks: int
    weeks_with_clash: tuple[dt.date, ...]
    free_days: tuple[Day, ...]
    first_start: str
    gap_minutes_per_week: int
    campus_days: int
    short_travels: int


def qualities(times: Mapping[str, Held], attended: Collection[str], *, travel: TravelTimes) -> Qualities:
    """The qualities of the timetable in which these entries are attended. Entries without dates are not in `times`."""
    found = clashes_between(times, attended)
    classes = [held for entry_id in sorted(attended) if (held := times.get(entry_id)) and held.is_class]
    days = Days(held.dates for held in classes)
    occupied = days.occupied(classes)
    dates = {date for held in classes for date in held.dates}
    gaps = sum(days.numbers[day] * gap_slots(slots) for day, slots in occupied.items()) * MINUTES_PER_SLOT
    first = min((held.start for held in classes), default=None)
    weekdays = {date.weekday() for date in dates}
    return Qualities(
        clashes=found,
        clash_weeks=sum(len(set(map(monday, clash.dates))) for clash in found),
        weeks_with_clash=tuple(sorted({monday(date) for clash in found for date in clash.dates})),
        free_days=tuple(day for number, day in enumerate(DAYS[:_WORKING_DAYS]) if number not in weekdays),
        first_start="" if first is None else f"{first // 60:02}:{first % 60:02}",
        gap_minutes_per_week=gaps // max(len(set(map(monday, dates))), 1),
        campus_days=_campus_days(classes),
        short_travels=sum(_short_travels(one, other, travel) for one, other in combinations(classes, 2)),
    )


def clashes_between(times: Mapping[str, Held], attended: Iterable[str]) -> tuple[Clash, ...]:
    """All of these entries are attended, so none is an alternative to another."""
    entries = [(entry_id, times[entry_id]) for entry_id in sorted(attended) if entry_id in times]
    return tuple(
        Clash(events=(first, second), dates=tuple(sorted(dates)))
        for (first, one), (second, other) in combinations(entries, 2)
        if one.overlaps(other) and (dates := one.dates & other.dates)
    )


def _campus_days(classes: Iterable[Held]) -> int:
    campuses: defaultdict[dt.date, set[str]] = defaultdict(set)
    for held in classes:
        if held.campus:
            for date in held.dates:
                campuses[date].add(held.campus)
    return sum(len(found) > 1 for found in campuses.values())


def _short_travels(one: Held, other: Held, travel: TravelTimes) -> int:
    minutes = travel.between(one.campus, other.campus)
    if not minutes or one.overlaps(other):
        return 0
    return len(one.dates & other.dates) if max(other.start - one.end, one.start - other.end) < minutes else 0
