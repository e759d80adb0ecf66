"""The entries of a schedule as printed, and the outcome of reading a document.

The JSON of these structs is the public shape of an extraction (`upschedule extract --json`, `GET …/timetable`).
"""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
DAYS: tuple[Day, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

#: South African wall-clock time, 24 hours, `HH:MM`; the texts sort in the order of time.
ClockTime = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


def weekday_of(date: dt.date) -> Day:
    """The weekday with this English name, as schedules print it."""
    return DAYS[date.weekday()]


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """The place of an entry: points from the top left of the page as displayed, pages counted from 1.

    `row` is the table's row on that page, counted as a warning counts it.
    """

    page: int
    left: float
    top: float
    right: float
    bottom: float
    row: int | None = None


class Lecture(msgspec.Struct, frozen=True, kw_only=True, tag="lecture", tag_field="kind"):
    """A weekly class of one group. `activity` is as printed (`L1`, `P2`, `T1`); venues keep the printed order."""

    module: str
    offered: str
    group: str
    language: str
    activity: str
    day: Day
    start: ClockTime
    end: ClockTime
    venues: tuple[str, ...]
    campus: str
    study_programmes: tuple[str, ...]
    page: int
    boxes: tuple[Box, ...] = ()


class Test(msgspec.Struct, frozen=True, kw_only=True, tag="test", tag_field="kind"):
    """A dated semester test, in one or more venues."""

    module: str
    test: str
    day: Day
    date: dt.date
    start: ClockTime
    end: ClockTime
    campus: str
    venues: tuple[str, ...]
    page: int
    boxes: tuple[Box, ...] = ()


class Exam(msgspec.Struct, frozen=True, kw_only=True, tag="exam", tag_field="kind"):
    """A dated exam; its end is never printed. `status` is `FINAL` once the faculty has confirmed it."""

    status: str
    module: str
    paper: str
    activity: str
    date: dt.date
    start: ClockTime
    module_campus: str
    exam_campus: str
    venues: tuple[str, ...]
    comments: str
    page: int
    boxes: tuple[Box, ...] = ()


Event = Lecture | Test | Exam


class ReadingWarning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something doubtful that a person should check. `row` counts the table's rows on that page from 1."""

    page: int
    message: str
    row: int | None = None


Layout = Literal["lectures", "tests", "exams", "mixed", "none"]
_LAYOUTS: Mapping[type[Event], Layout] = {Lecture: "lectures", Test: "tests", Exam: "exams"}


class Extraction(msgspec.Struct, frozen=True, kw_only=True):
    """All that a document says, read completely; a document that cannot be is refused with an error instead."""

    events: tuple[Event, ...]
    warnings: tuple[ReadingWarning, ...] = ()
    pages: int

    @property
    def layout(self) -> Layout:
        """The kind of the schedule, by its events; `mixed` if they are of several kinds."""
        kinds = {type(event) for event in self.events}
        return _LAYOUTS[kinds.pop()] if len(kinds) == 1 else "mixed" if kinds else "none"
