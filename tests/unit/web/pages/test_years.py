"""Tests when the page asks for the year, and when it doubts it."""

import datetime as dt

from tests.support.builders.calendars import KNOWN, assembly
from tests.support.builders.events import a_lecture, a_test
from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.previews import advise
from upschedule.web.pages.years import YearQuestion, year_question

_NOVEMBER = dt.date(2026, 11, 30)


def _question(calendar: CalendarAssembly, *, made: bool = True, today: dt.date = _NOVEMBER) -> YearQuestion:
    advice = advise(calendar, [KNOWN], today)
    return year_question(calendar, advice, [event for _, event in calendar.named], made=made)


def test_lectures_alone_do_not_say_their_year() -> None:
    question = _question(assembly(a_lecture()), made=False)
    assert question.asked
    assert [(option.year, option.meaning) for option in question.options] == [
        (2026, "13 July 2026 to 16 October 2026, already over"),
        (2027, "12 July 2027 to 15 October 2027, an estimate"),
    ]
    assert question.warnings == ()


def test_tests_say_the_year_and_an_owner_chooses_it() -> None:
    assert not _question(assembly(a_lecture(), a_test()), made=False).asked
    assert not _question(assembly(a_test()), made=False).asked
    assert not _question(assembly(a_lecture(), year_chosen=True)).asked
    assert _question(assembly(a_lecture())).asked


def test_a_calendar_of_past_dates_is_doubted_and_other_years_are_offered() -> None:
    """The doubt begins after the last date, which may be that of a test."""
    calendar = assembly(a_lecture(), a_test(date=dt.date(2026, 11, 7)))
    assert _question(calendar, today=dt.date(2026, 11, 7)).warnings == ()
    question = _question(calendar, today=dt.date(2026, 11, 8))
    assert question.warnings == ("Every date in this calendar is over: the last one was on 7 November 2026.",)
    assert [option.year for option in question.options] == [2027]


def test_tests_of_another_year_than_the_classes_are_doubted() -> None:
    calendar = assembly(a_lecture(), a_test(date=dt.date(2027, 8, 7)), year_chosen=True)
    assert _question(calendar).warnings == (
        "Your tests and exams are in 2027, but your classes follow the dates of 2026.",
    )
