"""Repeated entries and rows of one class become one entry."""

import datetime as dt

from tests.support.builders.timetable import exam, lecture, semester_test
from upschedule.timetable.merge import merge


def test_rooms_of_one_class_are_merged() -> None:
    merged = merge([[lecture(venues=("A",)), lecture(venues=("B", "A"), study_programmes=("X",))]])

    assert merged == (lecture(venues=("A", "B"), study_programmes=("X",)),)


def test_the_same_entry_in_two_documents_is_one_with_the_newer_rooms() -> None:
    old, new = semester_test(venues=("A", "B")), semester_test(venues=("C",), page=2)

    assert merge([[old], [new]]) == (new,)


def test_the_order_of_rows_and_documents_does_not_matter() -> None:
    entries = [lecture(), lecture(day="Tuesday"), semester_test(), exam()]

    assert merge([entries[:2], entries[2:]]) == merge([entries[:1:-1], entries[1::-1]])


def test_what_differs_in_time_group_or_language_stays_apart() -> None:
    entries = [lecture(), lecture(start="07:30"), lecture(group="G02"), lecture(language="A")]
    dated = [semester_test(), semester_test(date=dt.date(2026, 5, 2)), exam(), exam(paper="2")]

    assert len(merge([entries, dated])) == 8
