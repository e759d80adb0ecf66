"""Tests and exams by date, as the page lists them. Pure."""

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping

import msgspec

from upschedule.timetable.event import Exam, Test
from upschedule.timetable.text import tentative_reasons


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """One dated entry. `end` is empty while not known, and for an exam `assumed`: the schedule prints none."""

    entry_id: str
    kind: str
    module: str
    title: str
    date: dt.date
    start: str
    end: str
    end_assumed: bool
    venues: tuple[str, ...]
    campus: str
    notes: tuple[str, ...]

    @property
    def weekday(self) -> str:
        return f"{self.date:%a}"

    @property
    def day(self) -> int:
        return self.date.day


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """The appointments of a month, in time order."""

    title: str
    appointments: tuple[Appointment, ...]


def months(entries: Iterable[tuple[str, Test | Exam]], ends: Mapping[str, str]) -> tuple[Month, ...]:
    """`ends` of exams, by entry id, as far as the calendar has assumed them."""
    appointments = sorted(
        (_appointment(entry_id, event, ends) for entry_id, event in entries),
        key=lambda appointment: (appointment.date, appointment.start, appointment.module),
    )
    by_month = itertools.groupby(appointments, key=lambda appointment: f"{appointment.date:%B %Y}")
    return tuple(Month(title=title, appointments=tuple(group)) for title, group in by_month)


def _appointment(entry_id: str, event: Test | Exam, ends: Mapping[str, str]) -> Appointment:
    if isinstance(event, Test):
        kind, title, end, campus = "Test", event.test, event.end, event.campus
    else:
        kind, title, end = "Exam", _exam_title(event), ends.get(entry_id, "")
        campus = event.exam_campus or event.module_campus
    return Appointment(
        entry_id=entry_id,
        kind=kind,
        module=event.module,
        title=title,
        date=event.date,
        start=event.start,
        end=end,
        end_assumed=isinstance(event, Exam),
        venues=event.venues,
        campus=campus,
        notes=_notes(event),
    )


def _exam_title(exam: Exam) -> str:
    paper = f"paper {exam.paper}" if exam.paper.isdecimal() else exam.paper
    return " ".join(part for part in (exam.activity, paper) if part)


def _notes(event: Test | Exam) -> tuple[str, ...]:
    comments = [event.comments] if isinstance(event, Exam) and event.comments else []
    return (*tentative_reasons(event), *comments)
