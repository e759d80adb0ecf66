"""Estimates the dates of an academic year from those of other years, for a person to confirm. Pure functions.

A year begins on the same weekday as the one before, and follows it by whole weeks.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from upschedule.timetable.academic_year import Period, Term, YearDates
from upschedule.timetable.public_holidays import public_holidays

_WEEK = dt.timedelta(days=7)
#: A recess that begins so close to Easter follows it, and not the weeks of the year.
_NEAR_EASTER = dt.timedelta(days=14)
#: The recesses that are usual where none is known of any year. The first is that of 2018, the latest with a source:
#: from the Thursday before Easter to the Monday eight days after it. The second is only known to be usual at this time.
_USUAL_EASTER = (dt.timedelta(days=-3), dt.timedelta(days=8))
_USUAL_SPRING_MONTH, _USUAL_SPRING_DAY = 9, 25
_USUAL_SPRING_LENGTH = dt.timedelta(days=8)
_SATURDAY = 5


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Terms of a year of which nothing is known. `from_year` is the year that they were mainly taken from."""

    from_year: int
    terms: dict[Term, Period]


def estimate_terms(known: Mapping[int, YearDates], year: int) -> Estimate | None:
    """Takes each term from the nearest earlier year that has it, else from the nearest later one; None without any."""
    terms: dict[Term, Period] = {}
    from_year: int | None = None
    for other in _nearest_first(known, year):
        for term, period in known[other].terms.items():
            if term not in terms and (moved := _by_weeks(period, other, year)):
                terms[term] = moved
                from_year = from_year or other
    return None if from_year is None else Estimate(from_year=from_year, terms=terms)


def propose_recesses(known: Mapping[int, YearDates], year: int, terms: Sequence[Period]) -> tuple[Period, ...]:
    """The recesses that these terms probably have, in order: as in another year, or at the usual time.

    Proposals only: a class that is missing from a calendar does more harm than one too many.
    """
    pattern = next((other for other in _nearest_first(known, year) if known[other].recesses), None)
    if pattern is None:
        found = list(_usual_recesses(year))
    else:
        recesses = known[pattern].recesses or ()
        found = [moved for recess in recesses if (moved := _recess(recess, pattern, year))]
    within = [recess for recess in found if any(_overlap(recess, term) for term in terms)]
    return tuple(sorted(within, key=lambda recess: recess.start))


def _nearest_first(known: Mapping[int, YearDates], year: int) -> list[int]:
    return sorted((other for other in known if other != year), key=lambda other: (other > year, abs(year - other)))


def _by_weeks(period: Period, from_year: int, to_year: int) -> Period | None:
    """None if the moved period would leave the year."""
    days = (dt.date(to_year, 1, 1) - dt.date(from_year, 1, 1)).days
    return _moved(period, round(days / _WEEK.days) * _WEEK, to_year)


def _recess(recess: Period, from_year: int, to_year: int) -> Period | None:
    before, after = _easter(from_year), _easter(to_year)
    if before and after and abs(recess.start - before) <= _NEAR_EASTER:
        return _moved(recess, after - before, to_year)
    return _by_weeks(recess, from_year, to_year)


def _usual_recesses(year: int) -> Iterator[Period]:
    if easter := _easter(year):
        first, last = _USUAL_EASTER
        yield Period(start=easter + first, end=easter + last, name="Easter recess")
    start = dt.date(year, _USUAL_SPRING_MONTH, _USUAL_SPRING_DAY)
    start += dt.timedelta(days=(_SATURDAY - start.weekday()) % _WEEK.days)
    yield Period(start=start, end=start + _USUAL_SPRING_LENGTH, name="Spring recess")


def _easter(year: int) -> dt.date | None:
    """Easter Sunday, by the public holiday two days before it."""
    good_friday = next((date for date, name in public_holidays(year).items() if name == "Good Friday"), None)
    return good_friday + dt.timedelta(days=2) if good_friday else None


def _moved(period: Period, by: dt.timedelta, year: int) -> Period | None:
    start, end = period.start + by, period.end + by
    return msgspec.structs.replace(period, start=start, end=end) if start.year == end.year == year else None


def _overlap(first: Period, second: Period) -> bool:
    return first.start <= second.end and second.start <= first.end
