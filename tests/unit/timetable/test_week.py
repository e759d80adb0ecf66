"""A calendar by weeks, as a page shows it."""

import datetime as dt

from tests.support.builders.timetable import academic_year, lecture, semester_test
from upschedule.timetable.academic_year import AcademicYear, FollowedDay
from upschedule.timetable.occurrences import occurrences
from upschedule.timetable.week import Slot, Week, calendar_weeks


def _weeks(year: AcademicYear) -> dict[dt.date, Week]:
    events = {"a": lecture(), "b": lecture(start="07:30", end="08:20"), "t": semester_test()}
    found = {key: occurrences(event, year, exam_minutes=180) for key, event in events.items()}
    return {week.start: week for week in calendar_weeks(found, year)}


def test_a_week_runs_from_monday_and_orders_its_slots() -> None:
    week = _weeks(academic_year())[dt.date(2026, 3, 9)]

    assert [day.date.day for day in week.days] == [9, 10, 11, 12, 13, 14, 15]
    assert [slot.event for slot in week.days[0].slots] == ["b", "a"]
    assert week.days[5].slots == (Slot(event="t", start="10:00", end="11:30"),)


def test_a_holiday_is_named_and_empty_and_the_followed_day_says_whose_timetable_it_has() -> None:
    """27 April 2026 is Freedom Day, and the Tuesday follows Monday's timetable."""
    week = _weeks(academic_year(follows=(FollowedDay(date=dt.date(2026, 4, 28), weekday="Monday"),)))[
        dt.date(2026, 4, 27)
    ]

    assert (week.days[0].kind, week.days[0].name, week.days[0].slots) == ("holiday", "Freedom Day", ())
    assert [slot.followed for slot in week.days[1].slots] == ["Monday", "Monday"]


def test_a_week_in_which_nothing_happens_is_left_out() -> None:
    year = academic_year()

    assert dt.date(2026, 4, 6) not in _weeks(year)  # Family Day is the only Monday of that week.
    assert dt.date(2026, 6, 8) not in _weeks(year)
