"""Invalid dates are refused with the name of each field."""

import datetime as dt

import pytest

from tests.support.builders.timetable import period
from upschedule.timetable.academic_year import FollowedDay, HolidayChange, YearDates
from upschedule.timetable.year_validation import find_year_errors

S1 = period("2026-02-09", "2026-05-22")


def _fields(dates: YearDates, year: int = 2026) -> list[str]:
    return [error.field for error in find_year_errors(year, dates, field="academic_year")]


def test_right_dates_pass() -> None:
    dates = YearDates(
        terms={"S1": S1, "Q1": period("2026-02-09", "2026-03-27"), "S2": period("2026-07-13", "2026-10-16")},
        recesses=(period("2026-04-04", "2026-04-12"),),
        follows=(FollowedDay(date=dt.date(2026, 4, 28), weekday="Monday"),),
        holidays=(HolidayChange(date=dt.date(2026, 4, 29)),),
    )

    assert _fields(dates) == []


@pytest.mark.parametrize(
    ("dates", "field"),
    [
        (YearDates(terms={"S1": period("2026-05-22", "2026-02-09")}), "academic_year.terms.S1.end"),
        (YearDates(terms={"S1": period("2025-02-09", "2026-05-22")}), "academic_year.terms.S1.start"),
        (YearDates(terms={"S1": S1, "Q1": period("2026-02-02", "2026-03-27")}), "academic_year.terms.Q1"),
        (YearDates(terms={"S1": S1, "S2": period("2026-05-22", "2026-10-16")}), "academic_year.terms.S2.start"),
        (
            YearDates(terms={"Q3": period("2026-07-13", "2026-09-01"), "Q4": period("2026-09-01", "2026-10-16")}),
            "academic_year.terms.Q4.start",
        ),
        (YearDates(recesses=(S1, period("2026-04-12", "2026-04-04"))), "academic_year.recesses.1.end"),
        (YearDates(holidays=(HolidayChange(date=dt.date(2025, 4, 29)),)), "academic_year.holidays.0.date"),
        (
            YearDates(terms={"S1": S1}, follows=(FollowedDay(date=dt.date(2026, 6, 8), weekday="Monday"),)),
            "academic_year.follows.0.date",
        ),
        (
            YearDates(no_lectures=(S1,), follows=(FollowedDay(date=dt.date(2026, 4, 8), weekday="Monday"),)),
            "academic_year.follows.0.date",
        ),
        (
            YearDates(follows=(FollowedDay(date=dt.date(2026, 4, 8), weekday="Monday"),) * 2),
            "academic_year.follows.1.date",
        ),
    ],
)
def test_the_wrong_field_is_named(dates: YearDates, field: str) -> None:
    assert _fields(dates) == [field]


def test_a_year_out_of_range_is_refused_before_anything_else() -> None:
    assert _fields(YearDates(), year=20026) == ["academic_year.year"]
