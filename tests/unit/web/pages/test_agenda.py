"""Tests and exams by date."""

import datetime as dt

from tests.support.builders.events import a_test, an_exam
from upschedule.web.pages.agenda import months


def test_entries_are_in_their_month_in_order_of_time() -> None:
    early, late = a_test(date=dt.date(2026, 8, 22), start="08:00"), a_test(date=dt.date(2026, 8, 22), start="12:30")
    found = months([("late", late), ("exam", an_exam()), ("early", early)], {})
    assert [(month.title, [a.entry_id for a in month.appointments]) for month in found] == [
        ("August 2026", ["early", "late"]),
        ("November 2026", ["exam"]),
    ]


def test_the_end_of_an_exam_is_marked_as_assumed() -> None:
    """The end is empty as long as no year is assumed."""
    ((known,), (unknown,)) = (months([("a", an_exam())], ends)[0].appointments for ends in ({"a": "11:30"}, {}))
    assert (known.end, known.end_assumed, unknown.end) == ("11:30", True, "")


def test_an_exam_says_what_is_not_sure_about_it() -> None:
    """The notes say that it is not final and has no venue, and repeat the faculty's comments."""
    entry = an_exam(status="PROVISIONAL", venues=(), comments="Bring a calculator")
    notes = months([("a", entry)], {})[0].appointments[0].notes
    assert notes == ("Not final: the schedule says PROVISIONAL under Status.", "No venue yet.", "Bring a calculator")


def test_a_test_repeats_what_is_printed() -> None:
    (appointment,) = months([("a", a_test())], {})[0].appointments
    assert (appointment.title, appointment.weekday, appointment.day) == ("Test1", "Sat", 22)
    assert (appointment.start, appointment.end, appointment.end_assumed) == ("10:00", "11:30", False)
