"""Builds the grids of weeks: the typical week of each term, and real weeks with their dates. Pure functions."""

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec

from upschedule.timetable.edits import Edit
from upschedule.timetable.event import DAYS, Lecture
from upschedule.web.pages.days import Plan, PlannedDay, span
from upschedule.web.pages.grid import Block, Frame, frame
from upschedule.web.pages.items import Item, item_of

_FIRST_TERM, _SECOND_TERM = frozenset({"S1", "Q1", "Q2"}), frozenset({"S2", "Q3", "Q4"})
#: Days that a typical week always has, and that a real week has.
_WORKING_DAYS, _REAL_DAYS = 5, 6
_WEEK = dt.timedelta(weeks=1)

#: A class with the id of its entry.
NamedLecture = tuple[str, Lecture]


class WeekDay(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the grid. `date` is None in a typical week; `note` says what is special about the day."""

    name: str
    blocks: tuple[Block, ...]
    date: dt.date | None = None
    note: str = ""
    today: bool = False

    @property
    def day(self) -> str:
        return f"{self.date.day} {self.date:%b}" if self.date else ""


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """`title` names the term of a typical week, or the dates of a real one."""

    title: str
    days: tuple[WeekDay, ...]
    frame: Frame


class RealWeek(msgspec.Struct, frozen=True, kw_only=True):
    """A week with its dates, and the Mondays to which its links lead, None where there is nothing more."""

    monday: dt.date
    week: Week
    previous: dt.date | None
    following: dt.date | None
    current: dt.date | None


def typical_weeks(lectures: Sequence[NamedLecture], edits: Mapping[str, Edit] = {}) -> tuple[Week, ...]:
    """A week for each term that has classes; year modules appear in both, unless there is nothing but them."""
    terms = {_term(lecture) for _, lecture in lectures} - {""}
    if not terms:
        return (_typical("Every week", lectures, edits),) if lectures else ()
    return tuple(
        _typical(term, [named for named in lectures if _term(named[1]) in {term, ""}], edits) for term in sorted(terms)
    )


def real_week(plan: Plan, wanted: dt.date | None, today: dt.date) -> RealWeek:
    """The week of the `wanted` date; else this week, or the first before and after all dates of the calendar.

    Where this week has neither an entry nor a note, as between two years, it is the next one that has.
    """
    first, last, this = _monday(plan.first), _monday(plan.last), _monday(today)
    monday = _next_with_content(plan, this, last) if first <= this <= last else first
    if wanted is not None:
        monday = min(max(_monday(wanted), first), last)
    days = plan.between(monday, monday + dt.timedelta(days=6))
    shown = [day for position, day in enumerate(days) if position < _REAL_DAYS or day.items]
    around = frame(span(shown))
    return RealWeek(
        monday=monday,
        week=Week(
            title=_dates(shown[0].date, shown[-1].date), days=tuple(_real(day, around, today) for day in shown),
            frame=around,
        ),
        previous=monday - _WEEK if monday > first else None,
        following=monday + _WEEK if monday < last else None,
        current=this if first <= this <= last and this != monday else None,
    )  # fmt: skip


def _next_with_content(plan: Plan, monday: dt.date, last: dt.date) -> dt.date:
    weeks = (monday + number * _WEEK for number in range((last - monday) // _WEEK + 1))
    return next((week for week in weeks if _has_content(plan, week)), monday)


def _has_content(plan: Plan, monday: dt.date) -> bool:
    return any(day.items or day.note for day in plan.between(monday, monday + dt.timedelta(days=6)))


def _term(lecture: Lecture) -> str:
    if lecture.offered in _FIRST_TERM:
        return "First semester"
    return "Second semester" if lecture.offered in _SECOND_TERM else ""


def _typical(title: str, lectures: Sequence[NamedLecture], edits: Mapping[str, Edit]) -> Week:
    by_day: dict[str, list[Item]] = {day: [] for day in DAYS}
    for entry_id, lecture in lectures:
        by_day[lecture.day].append(item_of(entry_id, lecture, edit=edits.get(entry_id)))
    around = frame(item for items in by_day.values() for item in items)
    shown = [day for position, day in enumerate(DAYS) if position < _WORKING_DAYS or by_day[day]]
    return Week(
        title=title,
        days=tuple(WeekDay(name=day, blocks=around.blocks(by_day[day])) for day in shown),
        frame=around,
    )


def _real(day: PlannedDay, around: Frame, today: dt.date) -> WeekDay:
    return WeekDay(
        name=DAYS[day.date.weekday()],
        blocks=around.blocks(day.items),
        date=day.date,
        note=day.note,
        today=day.date == today,
    )


def _monday(date: dt.date) -> dt.date:
    return date - dt.timedelta(days=date.weekday())


def _dates(first: dt.date, last: dt.date) -> str:
    """`13 to 18 July 2026`."""
    if first.month == last.month:
        return f"{first.day} to {last.day} {last:%B %Y}"
    year = f" {first.year}" if first.year != last.year else ""
    return f"{first.day} {first:%B}{year} to {last.day} {last:%B %Y}"
