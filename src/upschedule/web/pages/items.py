"""Formats classes, tests and exams for the page. Pure functions."""

import datetime as dt

import msgspec

from upschedule.timetable.edits import Edit, OwnEvent
from upschedule.timetable.event import Day, Event, Exam, Lecture, Test
from upschedule.timetable.occurrences import Occurrence
from upschedule.timetable.text import tentative_reasons

#: The kind of an entry that the owner added.
OWN = "Own"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One class, test or exam. `kind` is empty for a class; `date` is None in a typical week.

    `end` is empty if it is not known. `end_assumed`: the exam has no printed end, and a usual duration was assumed.
    `followed` is the weekday whose timetable applies on this date. `clashes`: another entry takes place at the same
    time. `name` and `note` are the owner's; `edited`: the entry differs from the printed one.
    """

    entry_id: str
    kind: str
    module: str
    title: str
    group: str
    start: str
    end: str
    end_assumed: bool
    venues: tuple[str, ...]
    campus: str
    notes: tuple[str, ...]
    date: dt.date | None = None
    followed: Day | None = None
    clashes: bool = False
    name: str = ""
    note: str = ""
    edited: bool = False

    @property
    def weekday(self) -> str:
        return f"{self.date:%a}"

    @property
    def day(self) -> int:
        return self.date.day if self.date else 0


def item_of(
    entry_id: str,
    event: Event,
    *,
    date: dt.date | None = None,
    exam_end: str = "",
    followed: Day | None = None,
    clashes: bool = False,
    edit: Edit | None = None,
) -> Item:
    """`exam_end` is the end of an exam, as far as the calendar has one; it is assumed unless `edit` gives it."""
    match event:
        case Lecture():
            kind, title, end, campus = "", event.activity, event.end, event.campus
        case Test():
            kind, title, end, campus = "Test", event.test, event.end, event.campus
        case Exam():
            kind, title, end = "Exam", _exam_title(event), exam_end
            campus = event.exam_campus or event.module_campus
    return Item(
        entry_id=entry_id,
        kind=kind,
        module=event.module,
        title=title,
        group=event.group if isinstance(event, Lecture) else "",
        date=date,
        start=event.start,
        end=end,
        end_assumed=isinstance(event, Exam) and not (edit and edit.minutes),
        venues=event.venues,
        campus=campus,
        notes=_notes(event),
        followed=followed,
        clashes=clashes,
        name=(edit.title or "") if edit else "",
        note=edit.note if edit else "",
        edited=edit is not None,
    )


def own_item(entry_id: str, own: OwnEvent, occurrence: Occurrence, *, clashes: bool) -> Item:
    """An entry that the owner added. Its title takes the place of the module."""
    return Item(
        entry_id=entry_id, kind=OWN, module=own.title, title="", group="", date=occurrence.start.date(),
        start=own.start, end=own.end, end_assumed=False, venues=(own.place,) if own.place else (), campus="",
        notes=(), clashes=clashes, note=own.note,
    )  # fmt: skip


def _exam_title(exam: Exam) -> str:
    paper = f"paper {exam.paper}" if exam.paper.isdecimal() else exam.paper
    return " ".join(part for part in (exam.activity, paper) if part)


def _notes(event: Event) -> tuple[str, ...]:
    comments = [event.comments] if isinstance(event, Exam) and event.comments else []
    return (*tentative_reasons(event), *comments)
