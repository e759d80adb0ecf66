"""Validates the dates of an academic year field by field, before anything is computed from them."""

import datetime as dt
from collections.abc import Iterator

from upschedule.errors import FieldError
from upschedule.timetable.academic_year import SEMESTERS, TERM_TITLES, Period, Term, YearDates

YEAR_MIN, YEAR_MAX = 2000, 2100
_ORDER: tuple[tuple[Term, Term], ...] = (*SEMESTERS.values(), ("S1", "S2"))
_LISTS = ("recesses", "no_lectures", "exams", "supplementary_exams")


def find_year_errors(year: int, dates: YearDates, *, field: str) -> tuple[FieldError, ...]:
    """All errors in the dates.

    `field` is the prefix of the names of fields, such as `academic_year` in `academic_year.terms.S1.end`.
    """
    if not YEAR_MIN <= year <= YEAR_MAX:
        return (FieldError(field=f"{field}.year", detail=f"The year must be from {YEAR_MIN} to {YEAR_MAX}."),)
    found = [*_periods(year, dates, field), *_terms(dates, f"{field}.terms"), *_follows(year, dates, field)]
    return tuple(FieldError(field=name, detail=detail) for name, detail in found)


def _periods(year: int, dates: YearDates, field: str) -> Iterator[tuple[str, str]]:
    named = [(f"{field}.terms.{term}", period) for term, period in dates.terms.items()]
    for name in _LISTS:
        periods: tuple[Period, ...] = getattr(dates, name) or ()
        named += [(f"{field}.{name}.{index}", period) for index, period in enumerate(periods)]
    for name, period in named:
        if period.end < period.start:
            yield f"{name}.end", "The end is before the start."
        yield from _outside(year, f"{name}.start", period.start)
        yield from _outside(year, f"{name}.end", period.end)
    for index, change in enumerate(dates.holidays or ()):
        yield from _outside(year, f"{field}.holidays.{index}.date", change.date)


def _outside(year: int, name: str, date: dt.date) -> Iterator[tuple[str, str]]:
    if date.year != year:
        yield name, f"{date} is not in {year}."


def _terms(dates: YearDates, field: str) -> Iterator[tuple[str, str]]:
    terms = dates.terms
    for semester, quarters in SEMESTERS.items():
        whole = terms.get(semester)
        for quarter in quarters:
            part = terms.get(quarter)
            if whole and part and (part.start not in whole or part.end not in whole):
                part_title, whole_title = TERM_TITLES[quarter], TERM_TITLES[semester]
                detail = f"The {part_title} must lie within the {whole_title}, {whole.start} to {whole.end}."
                yield f"{field}.{quarter}", detail
    for earlier, later in _ORDER:
        before, after = terms.get(earlier), terms.get(later)
        if before and after and after.start <= before.end:
            detail = f"The {TERM_TITLES[later]} must begin after the {TERM_TITLES[earlier]} ends on {before.end}."
            yield f"{field}.{later}.start", detail


def _follows(year: int, dates: YearDates, field: str) -> Iterator[tuple[str, str]]:
    seen: set[dt.date] = set()
    for index, followed in enumerate(dates.follows or ()):
        name = f"{field}.follows.{index}.date"
        yield from _outside(year, name, followed.date)
        if followed.date in seen:
            yield name, f"{followed.date} is named twice."
        seen.add(followed.date)
        closed = (*(dates.recesses or ()), *(dates.no_lectures or ()))
        if any(followed.date in period for period in closed):
            yield name, f"{followed.date} is also a day without lectures."
        elif dates.terms and not any(followed.date in period for period in dates.terms.values()):
            yield name, f"{followed.date} is in no term."
