"""Academic years as a calendar's owner chooses, changes and sees them."""

import datetime as dt
from typing import Annotated, get_args

import msgspec
from msgspec import Meta

from upschedule.calendars.assembly import CalendarAssembly, source_of_dates
from upschedule.calendars.model import KnownYear, YearChoice
from upschedule.timetable.academic_year import (
    FollowedDay,
    FollowedDays,
    HolidayChanges,
    Period,
    Periods,
    Term,
    YearDates,
)
from upschedule.timetable.year_validation import YEAR_MAX, YEAR_MIN

_YearNumber = Annotated[int, Meta(ge=YEAR_MIN, le=YEAR_MAX)]


class TermsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First and last days. A given semester moves its quarters as well, and a given quarter its semester."""

    Q1: Period | None = None
    Q2: Period | None = None
    Q3: Period | None = None
    Q4: Period | None = None
    S1: Period | None = None
    S2: Period | None = None


class AcademicYearRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A year and dates that differ from those known of it, for this calendar only.

    A list that is given replaces the whole list; an empty one clears it. Without `year`, the year of the tests and
    exams is used, or the present one. Public holidays are known; `holidays` adds to them, or takes away.
    """

    year: Annotated[
        _YearNumber | None, Meta(description="That of the tests and exams, or the present one by default")
    ] = None
    terms: Annotated[
        TermsRequest, Meta(description="First and last days; a semester moves its quarters along, and they it")
    ] = TermsRequest()
    recesses: Annotated[Periods | None, Meta(description="No classes; replaces the known recesses")] = None
    no_lectures: Annotated[Periods | None, Meta(description="Single days or more without lectures")] = None
    follows: Annotated[FollowedDays | None, Meta(description="Days on which another weekday is followed")] = None
    exams: Annotated[Periods | None, Meta(description="Examination periods, shown only")] = None
    supplementary_exams: Annotated[Periods | None, Meta(description="Shown only")] = None
    holidays: Annotated[
        HolidayChanges | None, Meta(description="Public holidays beside the known ones, or not kept")
    ] = None


RequestedYear = Annotated[
    AcademicYearRequest | _YearNumber | None,
    Meta(description="A year with its known dates, or an object with dates of this calendar's own"),
]


class Holiday(msgspec.Struct, frozen=True, kw_only=True):
    """A public holiday: no classes."""

    date: dt.date
    name: str


class AcademicYearView(msgspec.Struct, frozen=True, kw_only=True):
    """The year that a calendar follows. `confirmed`: by an operator, or by the owner who gave the dates.

    `recesses` is null while they are not known; `overridden` names what the owner changed; `estimated` names the terms
    whose dates are an estimate from another year.
    """

    year: int
    source: str
    confirmed: bool
    updated_at: dt.datetime | None
    overridden: tuple[str, ...]
    estimated: tuple[Term, ...]
    terms: dict[Term, Period]
    recesses: tuple[Period, ...] | None
    no_lectures: tuple[Period, ...]
    follows: tuple[FollowedDay, ...]
    exams: tuple[Period, ...]
    supplementary_exams: tuple[Period, ...]
    holidays: tuple[Holiday, ...]


class KnownYearList(msgspec.Struct, frozen=True, kw_only=True):
    """Years in ascending order."""

    academic_years: tuple[KnownYear, ...]


def year_choice(requested: RequestedYear) -> YearChoice:
    """A bare number is a year with its known dates."""
    if not isinstance(requested, AcademicYearRequest):
        return YearChoice(year=requested)
    lists = {name: getattr(requested, name) for name in YearDates.__struct_fields__ if name != "terms"}
    terms = {term: period for term in get_args(Term) if (period := getattr(requested.terms, term))}
    return YearChoice(year=requested.year, dates=YearDates(terms=terms, **lists))


def academic_year_view(assembly: CalendarAssembly) -> AcademicYearView:
    dates, own, known = assembly.year.dates, assembly.calendar.dates, assembly.known
    overridden = [name for name in YearDates.__struct_fields__ if getattr(own, name)]
    return AcademicYearView(
        year=assembly.year.year,
        source=source_of_dates(assembly),
        confirmed=assembly.dates_confirmed,
        updated_at=known.updated_at if known else None,
        overridden=tuple(overridden),
        estimated=assembly.estimated_terms,
        terms=dates.terms,
        recesses=dates.recesses,
        no_lectures=dates.no_lectures or (),
        follows=dates.follows or (),
        exams=dates.exams or (),
        supplementary_exams=dates.supplementary_exams or (),
        holidays=tuple(Holiday(date=date, name=name) for date, name in sorted(assembly.year.public_holidays.items())),
    )
