"""The dates between which classes repeat: shown to be confirmed, and read back from the form. Pure."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import get_args

import msgspec

from upschedule.calendars.assembly import CalendarAssembly, needed_terms
from upschedule.calendars.model import YearChoice
from upschedule.errors import FieldError
from upschedule.timetable.academic_year import AcademicYear, Period, Term, YearDates
from upschedule.timetable.event import Event
from upschedule.web.http.errors import InvalidRequest

_TITLES: dict[Term, str] = {
    "S1": "First semester", "S2": "Second semester",
    "Q1": "First quarter", "Q2": "Second quarter", "Q3": "Third quarter", "Q4": "Fourth quarter",
}  # fmt: skip


class TermDates(msgspec.Struct, frozen=True, kw_only=True):
    """First and last day in ISO 8601, empty while unknown."""

    code: Term
    title: str
    start: str = ""
    end: str = ""


class Dates(msgspec.Struct, frozen=True, kw_only=True):
    """`source` says where they come from, empty where the visitor gave them."""

    terms: tuple[TermDates, ...]
    recesses: tuple[Period, ...] = ()
    confirmed: bool = False
    source: str = ""


def unknown_dates(events: Sequence[Event]) -> Dates:
    """Before there is a calendar: to be filled in only if its making asks for them."""
    return Dates(terms=tuple(TermDates(code=term, title=_TITLES[term]) for term in needed_terms(events)))


def calendar_dates(assembly: CalendarAssembly) -> Dates:
    """Those that the calendar uses now."""
    own = set(assembly.needed_terms) <= set(assembly.calendar.dates.terms)
    return Dates(
        terms=tuple(_term(term, assembly.year) for term in assembly.needed_terms),
        recesses=assembly.year.dates.recesses or (),
        confirmed=assembly.dates_confirmed,
        source=assembly.known.source if assembly.known and not own else "",
    )


def _term(term: Term, year: AcademicYear) -> TermDates:
    found = year.periods(term)
    if not found:
        return TermDates(code=term, title=_TITLES[term])
    start, end = found[0].start.isoformat(), found[-1].end.isoformat()
    return TermDates(code=term, title=_TITLES[term], start=start, end=end)


def year_choice(form: Sequence[tuple[str, str]], before: YearDates) -> YearChoice:
    """From the form's fields in order; what it does not ask for stays as `before`. Raises InvalidRequest."""
    starts = {name.removesuffix("_start"): value for name, value in form if name.endswith("_start") and value}
    ends = {name.removesuffix("_end"): value for name, value in form if name.endswith("_end") and value}
    periods = {name: _period(starts.get(name, ""), ends.get(name, ""), name) for name in (starts | ends)}
    terms: dict[Term, Period] = {term: periods[term] for term in get_args(Term) if term in periods}
    recesses = tuple(sorted(_recesses(periods), key=lambda period: period.start))
    year = min((period.start.year for period in terms.values()), default=None)
    return YearChoice(year=year, dates=msgspec.structs.replace(before, terms=terms, recesses=recesses))


def _recesses(periods: dict[str, Period]) -> Iterable[Period]:
    return (period for name, period in periods.items() if name.startswith("recess"))


def _period(start: str, end: str, name: str) -> Period:
    try:
        return Period(start=dt.date.fromisoformat(start), end=dt.date.fromisoformat(end))
    except ValueError as error:
        detail = "Give both its first and its last day."
        raise InvalidRequest(detail, (FieldError(field=name, detail=detail),)) from error
