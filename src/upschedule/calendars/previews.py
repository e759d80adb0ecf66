"""Helps a person choose the year of lectures, which print none, and its recesses. Pure functions."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.model import KnownYear
from upschedule.timetable.academic_year import AcademicYear, Period, Term
from upschedule.timetable.estimate import estimate_terms, propose_recesses


class YearPreview(msgspec.Struct, frozen=True, kw_only=True):
    """The first and the last day that the lectures would have in this year, None while not known.

    `estimated`: some of the dates are an estimate. `over`: the last day is past.
    """

    year: int
    first: dt.date | None
    last: dt.date | None
    estimated: bool
    over: bool


class YearAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """Years to choose from, in order, and recesses to confirm, none where the recesses are known."""

    today: dt.date
    years: tuple[YearPreview, ...] = ()
    recesses: tuple[Period, ...] = ()


def advise(assembly: CalendarAssembly, known_years: Sequence[KnownYear], today: dt.date) -> YearAdvice:
    """Offers this year, the next, and the year that the calendar follows."""
    terms = assembly.needed_terms
    if not terms:
        return YearAdvice(today=today)
    years = sorted({today.year, today.year + 1, assembly.year.year})
    recesses: tuple[Period, ...] = ()
    if assembly.year.dates.recesses is None:
        known = {found.year: found.dates for found in known_years}
        periods = [period for term in terms for period in assembly.year.periods(term) or ()]
        recesses = propose_recesses(known, assembly.year.year, periods)
    previews = tuple(_preview(year, terms, known_years, today) for year in years)
    return YearAdvice(today=today, years=previews, recesses=recesses)


def _preview(year: int, terms: Sequence[Term], known_years: Sequence[KnownYear], today: dt.date) -> YearPreview:
    known = {found.year: found.dates for found in known_years}
    given = AcademicYear(year, known[year], {}) if year in known else None
    estimate = estimate_terms(known, year)
    periods: list[Period] = []
    estimated = False
    for term in terms:
        if given and (found := given.periods(term)):
            periods += found
        elif estimate and term in estimate.terms:
            periods.append(estimate.terms[term])
            estimated = True
    first = min((period.start for period in periods), default=None)
    last = max((period.end for period in periods), default=None)
    return YearPreview(year=year, first=first, last=last, estimated=estimated, over=last is not None and last < today)
