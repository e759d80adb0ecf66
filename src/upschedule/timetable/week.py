"""Groups the occurrences of a calendar by weeks and days."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from upschedule.timetable.academic_year import AcademicYear, DayKind, days
from upschedule.timetable.event import Day
from upschedule.timetable.occurrences import Occurrence


class Slot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One occurrence on a day. `event` is the entry's id; times are HH:MM."""

    event: str
    start: str
    end: str
    followed: Day | None = None


class WeekDay(msgspec.Struct, frozen=True, kw_only=True):
    """`weekday` is the day whose timetable is followed, None if there are no lectures."""

    date: dt.date
    kind: DayKind
    name: str
    weekday: Day | None
    slots: tuple[Slot, ...]


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """Monday to Sunday."""

    start: dt.date
    days: tuple[WeekDay, ...]


def calendar_weeks(occurrences: Mapping[str, Sequence[Occurrence]], year: AcademicYear) -> tuple[Week, ...]:
    """The weeks with occurrences. `occurrences` are by entry id."""
    by_date: defaultdict[dt.date, list[Slot]] = defaultdict(list)
    for entry_id, found in occurrences.items():
        for occurrence in found:
            by_date[occurrence.start.date()].append(_slot(entry_id, occurrence))
    mondays = sorted({date - dt.timedelta(days=date.weekday()) for date in by_date})
    return tuple(_week(monday, by_date, year) for monday in mondays)


def _week(monday: dt.date, by_date: Mapping[dt.date, list[Slot]], year: AcademicYear) -> Week:
    dates = days(monday, monday + dt.timedelta(days=6))
    return Week(start=monday, days=tuple(_day(date, by_date.get(date, []), year) for date in dates))


def _day(date: dt.date, slots: Sequence[Slot], year: AcademicYear) -> WeekDay:
    info = year.day(date)
    in_order = tuple(sorted(slots, key=lambda slot: (slot.start, slot.end, slot.event)))
    return WeekDay(date=date, kind=info.kind, name=info.name, weekday=info.weekday, slots=in_order)


def _slot(entry_id: str, occurrence: Occurrence) -> Slot:
    start, end = f"{occurrence.start:%H:%M}", f"{occurrence.end:%H:%M}"
    return Slot(event=entry_id, start=start, end=end, followed=occurrence.followed)
