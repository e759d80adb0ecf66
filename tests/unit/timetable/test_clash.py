"""Overlaps of entries that one person would attend."""

import datetime as dt

from tests.support.builders.timetable import academic_year, exam, lecture, semester_test
from upschedule.timetable.clash import Clash, clashes
from upschedule.timetable.event import Event
from upschedule.timetable.occurrences import occurrences


def _clashes(**events: Event) -> tuple[Clash, ...]:
    year = academic_year()
    return clashes(
        events, {key: occurrences(event, year, exam_minutes=180) for key, event in events.items()}, pairs_max=200
    )


def test_overlapping_entries_clash_on_each_date_of_both() -> None:
    monday = dt.date(2026, 3, 16)
    found = _clashes(a=lecture(), b=semester_test(module="XYZ 210", date=monday, start="09:00", end="10:00"))

    assert found == (Clash(events=("a", "b"), dates=(monday,)),)


def test_a_class_right_after_another_is_no_clash() -> None:
    assert _clashes(a=lecture(end="09:30"), b=lecture(module="XYZ 210", start="09:30", end="10:20")) == ()


def test_groups_of_one_activity_are_alternatives() -> None:
    assert _clashes(a=lecture(activity="P1", group="P01"), b=lecture(activity="P1", group="P02")) == ()


def test_a_lecture_and_a_practical_of_one_module_clash() -> None:
    assert len(_clashes(a=lecture(), b=lecture(activity="P1", group="P01"))) == 1


def test_three_exams_at_once_are_three_pairs() -> None:
    """An exam is assumed to end after three hours, so one that starts later still overlaps."""
    found = _clashes(a=exam(), b=exam(module="B 1", start="08:30"), c=exam(module="C 1", start="10:00"))

    assert [clash.events for clash in found] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_exams_on_two_days_do_not_clash() -> None:
    assert _clashes(a=exam(), b=exam(module="B 1", date=dt.date(2026, 6, 4))) == ()


def test_the_pairs_of_a_document_with_every_group_are_bounded() -> None:
    """2,000 classes at one hour are two million pairs. The search ends at its limit."""
    events: dict[str, Event] = {str(number): lecture(module=f"M {number}") for number in range(2000)}
    year = academic_year()
    found = {key: occurrences(event, year, exam_minutes=180) for key, event in events.items()}

    assert len(clashes(events, found, pairs_max=200)) == 200
