"""The kinds of day and the terms of the academic year."""

import datetime as dt
from typing import Any

import pytest

from tests.support.builders.timetable import academic_year, period
from upschedule.timetable.academic_year import FollowedDay, HolidayChange, YearDates, merge

MONDAY = dt.date(2026, 3, 2)


def test_a_weekday_in_a_term_follows_its_own_timetable() -> None:
    assert academic_year().day(MONDAY).kind == "teaching"
    assert academic_year().day(MONDAY).weekday == "Monday"


def test_a_day_between_the_terms_has_no_timetable() -> None:
    day = academic_year().day(dt.date(2026, 6, 8))

    assert (day.kind, day.weekday) == ("outside", None)


@pytest.mark.parametrize(
    ("dates", "kind"),
    [
        ({"recesses": (period("2026-03-01", "2026-03-08", "Recess"),)}, "recess"),
        ({"no_lectures": (period("2026-03-02", "2026-03-02", "Open day"),)}, "no_lectures"),
        ({"holidays": (HolidayChange(date=MONDAY, name="Election day"),)}, "holiday"),
    ],
)
def test_a_day_without_lectures_says_why(dates: dict[str, Any], kind: str) -> None:
    day = academic_year(**dates).day(MONDAY)

    assert (day.kind, day.weekday) == (kind, None)
    assert day.name


def test_a_day_can_follow_another_weekday() -> None:
    day = academic_year(follows=(FollowedDay(date=MONDAY, weekday="Friday"),)).day(MONDAY)

    assert (day.kind, day.weekday) == ("follows", "Friday")


def test_a_holiday_proclaimed_late_ends_what_was_to_be_followed() -> None:
    follows = (FollowedDay(date=MONDAY, weekday="Friday"),)
    holidays = (HolidayChange(date=MONDAY, name="Day of mourning"),)

    assert academic_year(follows=follows, holidays=holidays).day(MONDAY).kind == "holiday"


def test_an_operator_can_take_a_holiday_away() -> None:
    good_friday = dt.date(2026, 4, 3)
    kept = academic_year()
    changed = academic_year(holidays=(HolidayChange(date=good_friday, observed=False),))

    assert kept.day(good_friday).kind == "holiday"
    assert changed.day(good_friday).kind == "teaching"


def test_a_sundays_holiday_moves_to_monday_and_a_saturdays_does_not() -> None:
    """9 August 2026 is a Sunday, and 21 March 2026 is a Saturday."""
    year = academic_year()

    assert year.day(dt.date(2026, 8, 10)).kind == "holiday"
    assert year.day(dt.date(2026, 3, 23)).kind == "teaching"


def test_examinations_are_distinguished_from_days_outside_the_year() -> None:
    year = academic_year(
        exams=(period("2026-05-25", "2026-06-26"),), supplementary_exams=(period("2026-07-06", "2026-07-10"),)
    )

    assert year.day(dt.date(2026, 6, 1)).kind == "exams"
    assert year.day(dt.date(2026, 7, 7)).kind == "supplementary_exams"
    assert year.day(dt.date(2026, 7, 3)).kind == "outside"


def test_each_offering_has_its_own_dates() -> None:
    terms = {
        "Q1": period("2026-02-09", "2026-03-27"), "Q2": period("2026-03-30", "2026-05-22"),
        "S2": period("2026-07-13", "2026-10-16"),
    }  # fmt: skip
    year = academic_year(terms=terms)

    assert year.periods("Q1") == (terms["Q1"],)
    assert year.periods("S1") == (terms["Q1"], terms["Q2"])
    assert year.periods("Y") == (terms["Q1"], terms["Q2"], terms["S2"])


@pytest.mark.parametrize("offered", ["Q3", "S3", ""])
def test_an_offering_without_dates_is_not_guessed(offered: str) -> None:
    assert academic_year().periods(offered) is None


def test_a_year_with_one_semester_known_does_not_place_a_year_module() -> None:
    assert academic_year(terms={"S1": period("2026-02-09", "2026-05-22")}).periods("Y") is None


BASE = YearDates(
    terms={
        "Q1": period("2026-02-09", "2026-03-27"), "Q2": period("2026-03-30", "2026-05-22"),
        "S1": period("2026-02-09", "2026-05-22"),
    },
    recesses=(period("2026-04-04", "2026-04-12"),),
)  # fmt: skip


def test_a_moved_semester_takes_its_quarters_along() -> None:
    merged = merge(BASE, YearDates(terms={"S1": period("2026-02-16", "2026-05-29")}))

    assert merged.terms["Q1"] == period("2026-02-16", "2026-03-27")
    assert merged.terms["Q2"] == period("2026-03-30", "2026-05-29")
    assert merged.recesses == BASE.recesses


def test_a_moved_quarter_takes_its_semester_along() -> None:
    merged = merge(BASE, YearDates(terms={"Q2": period("2026-04-13", "2026-06-05")}))

    assert merged.terms["S1"] == period("2026-02-09", "2026-06-05")
    assert merged.terms["Q1"] == BASE.terms["Q1"]


def test_a_quarter_that_no_longer_fits_its_moved_semester_is_not_known() -> None:
    merged = merge(BASE, YearDates(terms={"S1": period("2026-04-13", "2026-06-05")}))

    assert set(merged.terms) == {"S1", "Q2"}
    assert merged.terms["Q2"] == merged.terms["S1"]


def test_a_quarter_is_shortened_to_its_semester() -> None:
    merged = merge(BASE, YearDates(terms={"S1": period("2026-02-16", "2026-03-06")}))

    assert merged.terms["Q1"] == merged.terms["S1"]
    assert "Q2" not in merged.terms


def test_an_empty_list_replaces_the_list() -> None:
    assert merge(BASE, YearDates(recesses=())).recesses == ()
