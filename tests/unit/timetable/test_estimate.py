"""Estimated dates of a year for which no dates are known."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders.timetable import period
from upschedule.timetable.academic_year import Period, YearDates
from upschedule.timetable.estimate import estimate_terms, propose_recesses

_2025 = YearDates(terms={"S1": period("2025-02-10", "2025-05-23"), "Q1": period("2025-02-10", "2025-03-28")})
_2026 = YearDates(terms={"S1": period("2026-02-09", "2026-05-22"), "S2": period("2026-07-13", "2026-10-16")})


def test_the_pattern_of_the_year_before_is_what_the_next_year_was() -> None:
    """The dates of 2025 give the announced first day of 2026."""
    estimate = estimate_terms({2025: _2025}, 2026)
    assert estimate is not None
    assert estimate.terms["S1"] == _2026.terms["S1"]


def test_each_term_comes_from_the_nearest_earlier_year_that_has_it() -> None:
    """A later year is used only if there is no earlier one."""
    estimate = estimate_terms(
        {2025: _2025, 2026: _2026, 2029: YearDates(terms={"Q4": period("2029-09-03", "2029-10-19")})}, 2027
    )
    assert estimate is not None
    assert estimate.from_year == 2026
    assert estimate.terms == {
        "S1": period("2027-02-08", "2027-05-21"),
        "S2": period("2027-07-12", "2027-10-15"),
        "Q1": period("2027-02-08", "2027-03-26"),
        "Q4": period("2027-09-06", "2027-10-22"),
    }


def test_without_any_year_nothing_is_estimated() -> None:
    assert estimate_terms({}, 2027) is None
    assert estimate_terms({2027: _2026}, 2027) is None
    assert estimate_terms({2026: YearDates()}, 2027) is None


@given(year=st.integers(2000, 2100))
def test_an_estimate_keeps_weekdays_and_stays_near_the_day_of_the_year(year: int) -> None:
    """The distance of the year does not matter, since the error of whole weeks does not accumulate."""
    estimate = estimate_terms({2026: _2026}, year)
    if year == 2026:
        assert estimate is None
        return
    assert estimate is not None
    for term, before in _2026.terms.items():
        after = estimate.terms[term]
        assert (after.start.weekday(), after.end.weekday()) == (before.start.weekday(), before.end.weekday())
        assert after.end - after.start == before.end - before.start
        assert abs(after.start - before.start.replace(year=year)) <= dt.timedelta(days=4)


def test_a_recess_at_easter_follows_easter_and_another_the_weeks() -> None:
    """Easter was on 5 April in 2026 and is on 28 March in 2027."""
    known = YearDates(
        terms=_2026.terms,
        recesses=(period("2026-04-03", "2026-04-12", "Recess"), period("2026-09-26", "2026-10-04", "Spring")),
    )
    terms = [period("2027-02-08", "2027-05-21"), period("2027-07-12", "2027-10-15")]
    assert propose_recesses({2026: known}, 2027, terms) == (
        period("2027-03-26", "2027-04-04", "Recess"),
        period("2027-09-25", "2027-10-03", "Spring"),
    )


@pytest.mark.parametrize(
    ("term", "recess"),
    [
        # The dates of 2018 have a source: lectures ended on 28 March and continued on 10 April.
        (period("2018-02-05", "2018-05-29"), period("2018-03-29", "2018-04-09", "Easter recess")),
        (period("2026-07-13", "2026-10-16"), period("2026-09-26", "2026-10-04", "Spring recess")),
    ],
)
def test_where_no_recess_is_known_the_usual_one_of_the_term_is_proposed(term: Period, recess: Period) -> None:
    assert propose_recesses({2026: _2026}, term.start.year, [term]) == (recess,)
