"""Dates on which an event is held, in South African wall-clock time (UTC+2 all year)."""

import datetime as dt
from collections.abc import Iterator

import msgspec

from upschedule.timetable.academic_year import AcademicYear, days
from upschedule.timetable.event import Day, Event, Exam, Lecture


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One class, test or exam. `followed` is set if it is held because the day follows that weekday's timetable."""

    start: dt.datetime
    end: dt.datetime
    followed: Day | None = None


def occurrences(event: Event, year: AcademicYear, *, exam_minutes: int) -> tuple[Occurrence, ...]:
    """The occurrences in order. Empty if a term has no dates or the end is not after the start.

    An exam's end is not printed: `exam_minutes` is assumed.
    """
    if isinstance(event, Exam):
        start = at(event.date, event.start)
        return (Occurrence(start=start, end=start + dt.timedelta(minutes=exam_minutes)),)
    if event.end <= event.start:
        return ()
    if isinstance(event, Lecture):
        return tuple(_classes(event, year))
    return (Occurrence(start=at(event.date, event.start), end=at(event.date, event.end)),)


def at(date: dt.date, clock: str) -> dt.datetime:
    """`clock` is HH:MM as printed."""
    return dt.datetime.combine(date, dt.time.fromisoformat(clock))


def _classes(lecture: Lecture, year: AcademicYear) -> Iterator[Occurrence]:
    for period in year.periods(lecture.offered) or ():
        for date in days(period.start, period.end):
            day = year.day(date)
            if day.weekday == lecture.day:
                followed = lecture.day if day.kind == "follows" else None
                yield Occurrence(start=at(date, lecture.start), end=at(date, lecture.end), followed=followed)
