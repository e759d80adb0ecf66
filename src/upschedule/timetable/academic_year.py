"""Academic years: terms, and the days on which lectures are not held or follow another weekday.

`YearDates` is the data as an operator keeps it or a student overrides it; `AcademicYear` answers questions about it.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from upschedule.timetable.event import Day, weekday_of

Term = Literal["Q1", "Q2", "Q3", "Q4", "S1", "S2"]
#: The first and the last quarter of each semester.
SEMESTERS: dict[Term, tuple[Term, Term]] = {"S1": ("Q1", "Q2"), "S2": ("Q3", "Q4")}
#: As people call them; schedules print the short names.
TERM_TITLES: dict[Term, str] = {
    "S1": "first semester (S1)", "S2": "second semester (S2)",
    "Q1": "first quarter (Q1)", "Q2": "second quarter (Q2)", "Q3": "third quarter (Q3)", "Q4": "fourth quarter (Q4)",
}  # fmt: skip
#: The terms in which a module is taught, by the text that schedules print under Offered.
OFFERED: dict[str, tuple[Term, ...]] = {
    "Q1": ("Q1",), "Q2": ("Q2",), "Q3": ("Q3",), "Q4": ("Q4",), "S1": ("S1",), "S2": ("S2",), "Y": ("S1", "S2"),
}  # fmt: skip

DayKind = Literal["teaching", "follows", "no_lectures", "recess", "holiday", "exams", "supplementary_exams", "outside"]
_ONE_DAY = dt.timedelta(days=1)
_Name = Annotated[str, Meta(max_length=100)]


class Period(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A period that includes both of its days."""

    start: dt.date
    end: dt.date
    name: _Name = ""

    def __contains__(self, date: dt.date) -> bool:
        return self.start <= date <= self.end


class FollowedDay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `date` on which the timetable of `weekday` applies."""

    date: dt.date
    weekday: Day


class HolidayChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A proclaimed public holiday, or with `observed=False` one that is not observed."""

    date: dt.date
    name: _Name = ""
    observed: bool = True


_Some = Meta(max_length=60)
Periods = Annotated[tuple[Period, ...], _Some]
FollowedDays = Annotated[tuple[FollowedDay, ...], _Some]
HolidayChanges = Annotated[tuple[HolidayChange, ...], _Some]


class YearDates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The dates of a year, or as an override those that differ: a list that is given replaces the whole list."""

    terms: dict[Term, Period] = {}
    recesses: Periods | None = None
    no_lectures: Periods | None = None
    follows: FollowedDays | None = None
    exams: Periods | None = None
    supplementary_exams: Periods | None = None
    holidays: HolidayChanges | None = None


class DayInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The kind of a day. `weekday` is the day whose timetable is followed, None if there are no lectures."""

    date: dt.date
    kind: DayKind
    name: str = ""
    weekday: Day | None = None


class AcademicYear:
    """Answers for one year; `public_holidays` are the country's, before the data's own changes."""

    def __init__(self, year: int, dates: YearDates, public_holidays: Mapping[dt.date, str]) -> None:
        self.year = year
        self.dates = dates
        self.public_holidays = _changed(public_holidays, dates.holidays or ())
        self._follows: dict[dt.date, Day] = {followed.date: followed.weekday for followed in dates.follows or ()}
        # Every class of a term asks for the same days.
        self._days: dict[dt.date, DayInfo] = {}
        # In order of precedence: the first that holds the day says what it is.
        self._closed: tuple[tuple[DayKind, tuple[Period, ...]], ...] = (
            ("no_lectures", dates.no_lectures or ()),
            ("recess", dates.recesses or ()),
        )
        self._examined: tuple[tuple[DayKind, tuple[Period, ...]], ...] = (
            ("exams", dates.exams or ()),
            ("supplementary_exams", dates.supplementary_exams or ()),
        )

    def periods(self, offered: str) -> tuple[Period, ...] | None:
        """The periods in which such a module is taught, including holidays; None if one of the dates is unknown."""
        found = [self._term(term) for term in OFFERED.get(offered, ())]
        if not found or not all(found):
            return None
        return tuple(period for periods in found for period in periods)

    def day(self, date: dt.date) -> DayInfo:
        """The kind of a day for a module that is taught in that term."""
        if date not in self._days:
            self._days[date] = self._look_up(date)
        return self._days[date]

    def _look_up(self, date: dt.date) -> DayInfo:
        if date in self.public_holidays:
            return DayInfo(date=date, kind="holiday", name=self.public_holidays[date])
        for kind, periods in self._closed:
            if period := _holding(periods, date):
                return DayInfo(date=date, kind=kind, name=period.name)
        if any(date in period for period in self.dates.terms.values()):
            if followed := self._follows.get(date):
                return DayInfo(date=date, kind="follows", weekday=followed)
            return DayInfo(date=date, kind="teaching", weekday=weekday_of(date))
        for kind, periods in self._examined:
            if period := _holding(periods, date):
                return DayInfo(date=date, kind=kind, name=period.name)
        return DayInfo(date=date, kind="outside")

    def _term(self, term: Term) -> tuple[Period, ...]:
        """A semester without dates of its own is its two quarters, and no more than them."""
        if term in self.dates.terms:
            return (self.dates.terms[term],)
        quarters = [self.dates.terms.get(quarter) for quarter in SEMESTERS.get(term, ())]
        return tuple(quarter for quarter in quarters if quarter) if all(quarters) else ()


def merge(base: YearDates, override: YearDates) -> YearDates:
    """A semester that is given takes its quarters along, and a quarter its semester, where those are not given."""
    terms = base.terms | override.terms
    for semester, (first, last) in SEMESTERS.items():
        if semester in override.terms:
            whole = terms[semester]
            _refit(terms, first, override, start=whole.start, end_max=whole.end)
            _refit(terms, last, override, start_min=whole.start, end=whole.end)
        else:
            _refit(terms, semester, override, start=terms[first].start if first in override.terms else None)
            _refit(terms, semester, override, end=terms[last].end if last in override.terms else None)
    replaced = {
        name: value
        for name in YearDates.__struct_fields__
        if name != "terms" and (value := getattr(override, name)) is not None
    }
    return msgspec.structs.replace(base, terms=terms, **replaced)


def _refit(
    terms: dict[Term, Period],
    term: Term,
    override: YearDates,
    *,
    start: dt.date | None = None,
    end: dt.date | None = None,
    start_min: dt.date = dt.date.min,
    end_max: dt.date = dt.date.max,
) -> None:
    """Moves and shortens a term that was not given; one of which nothing is left is no longer known."""
    before = terms.get(term)
    if before is None or term in override.terms:
        return
    first = start or max(before.start, start_min)
    last = end or min(before.end, end_max)
    if first <= last:
        terms[term] = msgspec.structs.replace(before, start=first, end=last)
    else:
        del terms[term]


def _changed(holidays: Mapping[dt.date, str], changes: tuple[HolidayChange, ...]) -> Mapping[dt.date, str]:
    removed = {change.date for change in changes if not change.observed}
    added = {change.date: change.name or "Public holiday" for change in changes if change.observed}
    return {date: name for date, name in (dict(holidays) | added).items() if date not in removed}


def _holding(periods: tuple[Period, ...], date: dt.date) -> Period | None:
    return next((period for period in periods if date in period), None)


def days(first: dt.date, last: dt.date) -> list[dt.date]:
    """Every day from `first` to `last`, both included; none if `last` is earlier."""
    return [first + number * _ONE_DAY for number in range((last - first).days + 1)]
