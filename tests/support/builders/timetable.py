"""Entries and years with unremarkable values; a test names what it is about."""

import datetime as dt
from typing import Any

from upschedule.timetable.academic_year import AcademicYear, Period, Term, YearDates
from upschedule.timetable.entry import EntryOptions, entries
from upschedule.timetable.event import Event, Exam, Lecture, Test
from upschedule.timetable.icalendar import Header, Published, write
from upschedule.timetable.merge import merge
from upschedule.timetable.public_holidays import public_holidays
from upschedule.timetable.reminders import DEFAULT_REMINDERS
from upschedule.timetable.uid import entry_ids

OPTIONS = EntryOptions(
    uid_domain="upschedule.app",
    page_url="https://example.test/calendars/c1",
    exam_minutes=180,
    reminders=DEFAULT_REMINDERS,
)
HEADER = Header(name="My timetable", description="Made for a test.", url="https://example.test/calendars/c1")
MODIFIED = dt.datetime(2026, 1, 5, 6, 7, 8, tzinfo=dt.UTC)


def lecture(**changes: Any) -> Lecture:
    """Mondays at 08:30 in S1."""
    values: dict[str, Any] = {
        "module": "ABC 123", "offered": "S1", "group": "G01", "language": "E", "activity": "L1",
        "day": "Monday", "start": "08:30", "end": "09:20", "venues": ("Maple 3-7",), "campus": "HATFIELD",
        "study_programmes": (), "page": 1,
    }  # fmt: skip
    return Lecture(**(values | changes))


def semester_test(**changes: Any) -> Test:
    values: dict[str, Any] = {
        "module": "ABC 123", "test": "Test1", "day": "Saturday", "date": dt.date(2026, 3, 14), "start": "10:00",
        "end": "11:30", "campus": "HATFIELD", "venues": ("Great Western Hall",), "page": 1,
    }  # fmt: skip
    return Test(**(values | changes))


def exam(**changes: Any) -> Exam:
    values: dict[str, Any] = {
        "status": "FINAL", "module": "ABC 123", "paper": "1", "activity": "Exam", "date": dt.date(2026, 6, 3),
        "start": "07:30", "module_campus": "HATF", "exam_campus": "HATFIELD", "venues": ("Great Western Hall",),
        "comments": "", "page": 1,
    }  # fmt: skip
    return Exam(**(values | changes))


def period(start: str, end: str, name: str = "") -> Period:
    return Period(start=dt.date.fromisoformat(start), end=dt.date.fromisoformat(end), name=name)


def academic_year(year: int = 2026, **dates: Any) -> AcademicYear:
    """2026 as shipped, unless `dates` say otherwise."""
    terms: dict[Term, Period] = {"S1": period("2026-02-09", "2026-05-22"), "S2": period("2026-07-13", "2026-10-16")}
    return AcademicYear(year, YearDates(**{"terms": terms, **dates}), public_holidays(year))


def published(*events: Event, year: AcademicYear | None = None, calendar_id: str = "c1") -> list[Published]:
    """The entries as a new calendar publishes them."""
    year = year or academic_year()
    named = entry_ids(merge([events]), calendar_id=calendar_id, year=year.year)
    return [Published(entry=entry, sequence=0, modified_at=MODIFIED) for entry in entries(named, year, OPTIONS)]


def document(*events: Event, year: AcademicYear | None = None) -> bytes:
    return write(HEADER, published(*events, year=year))
