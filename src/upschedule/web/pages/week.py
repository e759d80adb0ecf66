"""Builds the grids of weeks: the typical week of each term, and real weeks with their dates. Pure functions."""

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec

from upschedule.timetable.edits import Edit
from upschedule.timetable.event import DAYS, Lecture
from upschedule.web.pages.choosing import term_of
from upschedule.web.pages.days import Plan, PlannedDay, span
from upschedule.web.pages.grid import Block, Frame, frame
from upschedule.web.pages.items import Item, item_of

#: The title of the typical week of classes that belong to no term.
_EVERY_WEEK = "Every week"
#: Days that a typical week always has, and that a real week has.
_WORKING_DAYS, _REAL_DAYS = 5, 6
_WEEK = dt.timedelta(weeks=1)

#: A class with the id of its entry.
NamedLecture = tuple[str, Lecture]


class WeekDay(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the grid. `date` is None in a typical week; `note` says what is special about the day.

    `others` is what another choice of groups and modules would show.
    """

    name: str
    blocks: tuple[Block, ...]
    date: dt.date | None = None
    note: str = ""
    today: bool = False
    others: tuple[Item, ...] = ()

    @property
    def number(self) -> int:
        """0 for Monday."""
        return DAYS.index(self.name)

    @property
    def day(self) -> str:
        return f"{self.date.day} {self.date:%b}" if self.date else ""


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """`title` names the term of a typical week, or the dates of a real one.

    `spare` are all seven days with what is not shown, for the script; `fewest_days` are shown in any case. A typical
    week is not `shown` if only another choice of groups and modules has classes in its term.
    """

    title: str
    days: tuple[WeekDay, ...]
    frame: Frame
    spare: tuple[WeekDay, ...] = ()
    fewest_days: int = 0
    shown: bool = True
    #: Of a real week without its Sunday, and with it.
    titles: tuple[str, ...] = ()

    @property
    def term(self) -> str:
        """The term of a typical week; empty if the week is for each term."""
        return "" if self.title == _EVERY_WEEK else self.title


class RealWeek(msgspec.Struct, frozen=True, kw_only=True):
    """A week with its dates, and the Mondays to which its links lead, None where there is nothing more."""

    monday: dt.date
    week: Week
    previous: dt.date | None
    following: dt.date | None
    current: dt.date | None


def typical_weeks(lectures: Sequence[NamedLecture], edits: Mapping[str, Edit] = {}) -> tuple[Week, ...]:
    """A week for each term that has classes; year modules appear in both, unless there is nothing but them."""
    terms = {term_of(lecture) for _, lecture in lectures} - {""}
    if not terms:
        return (_typical(_EVERY_WEEK, lectures, edits),) if lectures else ()
    return tuple(
        _typical(term, [named for named in lectures if term_of(named[1]) in {term, ""}], edits)
        for term in sorted(terms)
    )


def with_other_classes(
    weeks: Sequence[Week],
    shown: Sequence[NamedLecture],
    others: Sequence[NamedLecture],
    edits: Mapping[str, Edit] = {},
) -> tuple[Week, ...]:
    """The typical weeks of the classes that are `shown`, and all that other choices would show.

    A week that only other choices have is added without being shown; one without any class has no weeks to add to.
    """
    by_term = {week.term: week for week in weeks}
    possible = {term_of(lecture) for _, lecture in (*shown, *others)}
    found: list[Week] = []
    for term in sorted(possible, key=lambda term: (not term, term)) if weeks else ():
        week = by_term.get(term)
        spare = others if week else (*shown, *others)
        by_day: dict[str, list[Item]] = {day: [] for day in DAYS}
        for entry_id, lecture in spare:
            if term_of(lecture) in {term, ""}:
                by_day[lecture.day].append(item_of(entry_id, lecture, edit=edits.get(entry_id)))
        found.append(
            msgspec.structs.replace(
                week or _typical(term or _EVERY_WEEK, [], edits),
                spare=tuple(WeekDay(name=day, blocks=(), others=tuple(by_day[day])) for day in DAYS),
                fewest_days=_WORKING_DAYS,
                shown=week is not None,
            )
        )
    return tuple(found)


def with_other_entries(
    found: RealWeek, plan: Plan, others: Mapping[dt.date, Sequence[Item]], today: dt.date
) -> RealWeek:
    """The real week, with the entries that other choices would show."""
    days = plan.between(found.monday, found.monday + dt.timedelta(days=6))
    spare = tuple(
        WeekDay(
            name=DAYS[day.date.weekday()], blocks=(), date=day.date, note=day.note, today=day.date == today,
            others=tuple(others.get(day.date, ())),
        )
        for day in days
    )  # fmt: skip
    titles = tuple(_dates(found.monday, day.date) for day in days[_REAL_DAYS - 1 :])
    week = msgspec.structs.replace(found.week, spare=spare, fewest_days=_REAL_DAYS, titles=titles)
    return msgspec.structs.replace(found, week=week)


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
    """The dates of a week, such as `13 to 18 July 2026`."""
    if first.month == last.month:
        return f"{first.day} to {last.day} {last:%B %Y}"
    year = f" {first.year}" if first.year != last.year else ""
    return f"{first.day} {first:%B}{year} to {last.day} {last:%B %Y}"
