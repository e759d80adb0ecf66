"""The dates on which an entry takes place."""

import datetime as dt

from tests.support.builders.timetable import academic_year, exam, lecture, period, semester_test
from upschedule.timetable.event import Event
from upschedule.timetable.occurrences import occurrences


def _dates(event: Event) -> list[dt.date]:
    return [found.start.date() for found in occurrences(event, academic_year(), exam_minutes=180)]


def test_a_class_is_held_weekly_from_the_first_to_the_last_day_of_term_without_holidays() -> None:
    dates = _dates(lecture(day="Friday"))

    assert dates[0] == dt.date(2026, 2, 13)
    assert dates[-1] == dt.date(2026, 5, 22)
    assert not {dt.date(2026, 4, 3), dt.date(2026, 5, 1)} & set(dates)
    assert len(dates) == 13


def test_a_year_module_is_held_in_both_semesters_and_not_between() -> None:
    dates = _dates(lecture(offered="Y"))

    assert dates == _dates(lecture(offered="S1")) + _dates(lecture(offered="S2"))


def test_a_quarter_without_dates_places_nothing() -> None:
    assert _dates(lecture(offered="Q1")) == []


def test_a_printed_end_before_its_start_places_nothing() -> None:
    assert _dates(lecture(end="08:30")) == []
    assert _dates(semester_test(end="09:00")) == []


def test_a_dated_entry_is_held_whatever_kind_of_day_it_is() -> None:
    """Tests are often on Saturdays. A test that is printed on a holiday takes place on it."""
    good_friday = dt.date(2026, 4, 3)

    assert _dates(semester_test(date=good_friday)) == [good_friday]
    assert _dates(exam()) == [dt.date(2026, 6, 3)]


def test_a_quarter_is_held_in_its_weeks_only() -> None:
    year = academic_year(terms={"Q1": period("2026-02-09", "2026-03-27"), "Q2": period("2026-03-30", "2026-05-22")})
    first, second = (
        [found.start.date() for found in occurrences(lecture(offered=quarter), year, exam_minutes=180)]
        for quarter in ("Q1", "Q2")
    )

    assert (first[0], first[-1], second[0]) == (dt.date(2026, 2, 9), dt.date(2026, 3, 23), dt.date(2026, 3, 30))
