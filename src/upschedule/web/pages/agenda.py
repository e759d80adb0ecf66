"""Tests and exams by date, as the page lists them. Pure."""

import datetime as dt
import itertools
from collections.abc import Iterable

import msgspec

from upschedule.timetable.event import Exam, Test
from upschedule.timetable.wording import doubts
from upschedule.web.pages.remarks import Remark, Remarked


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """One dated entry. `end_assumed`: the schedule prints none, the calendar assumes one."""

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
    remarks: tuple[Remark, ...]

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


def months(entries: Iterable[Remarked[Test] | Remarked[Exam]], *, exam_minutes: int) -> tuple[Month, ...]:
    """Exams end `exam_minutes` after their start, marked as assumed."""
    appointments = sorted(
        (_appointment(entry.event, entry.remarks, exam_minutes) for entry in entries),
        key=lambda appointment: (appointment.date, appointment.start, appointment.module),
    )
    by_month = itertools.groupby(appointments, key=lambda appointment: f"{appointment.date:%B %Y}")
    return tuple(Month(title=title, appointments=tuple(group)) for title, group in by_month)


def _appointment(event: Test | Exam, remarks: tuple[Remark, ...], exam_minutes: int) -> Appointment:
    if isinstance(event, Test):
        kind, title, end, campus = "Test", event.test, event.end, event.campus
    else:
        kind, title, end = "Exam", _exam_title(event), _end(event, exam_minutes)
        campus = event.exam_campus or event.module_campus
    return Appointment(
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
        remarks=remarks,
    )


def _exam_title(exam: Exam) -> str:
    paper = f"paper {exam.paper}" if exam.paper.isdecimal() else exam.paper
    return " ".join(part for part in (exam.activity, paper) if part)


def _end(exam: Exam, exam_minutes: int) -> str:
    start = dt.datetime.combine(exam.date, dt.time.fromisoformat(exam.start))
    return f"{start + dt.timedelta(minutes=exam_minutes):%H:%M}"


def _notes(event: Test | Exam) -> tuple[str, ...]:
    comments = [event.comments] if isinstance(event, Exam) and event.comments else []
    return (*doubts(event), *comments)
