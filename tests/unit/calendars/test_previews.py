"""The academic years that a student can choose, and their dates."""

import datetime as dt

from tests.support.builders.calendars import KNOWN, assembly
from tests.support.builders.timetable import exam, lecture, period
from upschedule.calendars.previews import YearPreview, advise
from upschedule.timetable.academic_year import YearDates

_NOVEMBER = dt.date(2026, 11, 30)


def test_this_year_and_the_next_are_offered_with_what_they_mean() -> None:
    advice = advise(assembly(lecture(offered="S2")), [KNOWN], _NOVEMBER)

    assert advice.years == (
        YearPreview(year=2026, first=dt.date(2026, 7, 13), last=dt.date(2026, 10, 16), estimated=False, over=True),
        YearPreview(year=2027, first=dt.date(2027, 7, 12), last=dt.date(2027, 10, 15), estimated=True, over=False),
    )
    assert advice.recesses == (period("2026-09-26", "2026-10-04", "Spring recess"),)


def test_the_year_of_the_calendar_is_among_them() -> None:
    advice = advise(assembly(lecture(), academic_year=2025, known=None), [KNOWN], _NOVEMBER)

    assert [preview.year for preview in advice.years] == [2025, 2026, 2027]


def test_no_year_is_offered_for_tests_and_exams() -> None:
    assert advise(assembly(exam()), [KNOWN], _NOVEMBER).years == ()


def test_recesses_that_are_known_are_not_proposed() -> None:
    """An empty list of recesses says that there is none."""
    advice = advise(assembly(lecture(), dates=YearDates(recesses=())), [KNOWN], _NOVEMBER)

    assert advice.recesses == ()


def test_a_year_without_any_pattern_has_no_dates() -> None:
    advice = advise(assembly(lecture(), known=None), [], _NOVEMBER)

    assert {(preview.first, preview.last, preview.over) for preview in advice.years} == {(None, None, False)}
