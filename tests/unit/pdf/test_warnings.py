"""Doubtful rows become warnings that name page and row, and are never guessed."""

from typing import Any

from tests.support.documents import handmade
from tests.support.documents.reading import extract
from upschedule.timetable import event as printed


def test_a_weekday_that_is_not_the_dates_is_kept_as_printed_and_warned_of() -> None:
    extraction = extract(handmade.tests(handmade.semester_test(day="Monday", date="09 Aug 2025")))

    (event,) = extraction.events
    assert isinstance(event, printed.Test)
    assert (event.day, event.date.isoformat()) == ("Monday", "2025-08-09")
    (warning,) = extraction.warnings
    assert (warning.page, warning.row) == (1, 1)
    assert "Saturday" in warning.message


def test_an_end_before_the_start_is_left_out_and_warned_of() -> None:
    right = handmade.semester_test(day="Saturday", date="09 Aug 2025")
    wrong = handmade.semester_test(day="Saturday", date="09 Aug 2025", time="11:30 - 10:00")

    extraction = extract(handmade.tests(right, wrong))

    assert len(extraction.events) == 1
    assert [(warning.page, warning.row) for warning in extraction.warnings] == [(1, 2)]


def test_a_date_that_does_not_exist_is_left_out_and_warned_of() -> None:
    right = handmade.semester_test(day="Saturday", date="09 Aug 2025")

    extraction = extract(handmade.tests(handmade.semester_test(day="Monday", date="31 Feb 2025"), right))

    assert len(extraction.events) == 1
    assert [(warning.page, warning.row) for warning in extraction.warnings] == [(1, 1)]


def test_a_class_without_a_venue_keeps_its_place_among_the_others() -> None:
    row = handmade.lecture_cells(
        activities=["L1", "L2", "L3"],
        days=["Monday", "Tuesday", "Friday"],
        times=["08:30 - 09:20", "09:30 - 10:20", "10:30 - 11:20"],
        venues=["Maple 3-7", "", "Oak 2-26"],
    )

    extraction = extract(handmade.lectures(row))

    assert [event.venues for event in extraction.events] == [("Maple 3-7",), (), ("Oak 2-26",)]
    assert extraction.warnings == ()


def test_a_wrapped_venue_is_joined_and_the_next_ones_stay_in_line() -> None:
    row = handmade.lecture_cells(
        activities=["L1", "L2", "L3"],
        days=["Monday", "Tuesday", "Friday"],
        times=["08:30 - 09:20", "09:30 - 10:20", "10:30 - 11:20"],
        venues=["Oak 2-26", "Foo Building Computer Labs 4,5,6", "Maple 3-7"],
    )

    extraction = extract(handmade.lectures(row))

    assert [event.venues[0] for event in extraction.events] == row[7]
    assert extraction.warnings == ()


def test_venues_that_cannot_be_matched_are_listed_in_a_warning() -> None:
    row = handmade.lecture_cells(
        activities=["L1", "L2"],
        days=["Monday", "Tuesday"],
        times=["08:30 - 09:20", "09:30 - 10:20"],
        venues=["Oak 2-26", "Maple 3-7", "Elm 4"],
    )

    extraction = extract(handmade.lectures(row))

    assert [event.venues for event in extraction.events] == [(), ()]
    (warning,) = extraction.warnings
    assert "Oak 2-26; Maple 3-7; Elm 4" in warning.message
    assert (warning.page, warning.row) == (1, 1)


def test_a_name_that_wraps_in_a_certain_row_is_known_in_a_doubtful_one() -> None:
    long, wide = "Quercus Building Laboratory North", "Ulmus Annex Lab, Left Wing"
    certain = handmade.lecture_cells(activities=["L1"], days=["Monday"], times=["08:30 - 09:20"], venues=[long])
    doubtful = handmade.lecture_cells(
        activities=["L1", "L2", "L3"],
        days=["Monday", "Tuesday", "Friday"],
        times=["08:30 - 09:20", "09:30 - 10:20", "10:30 - 11:20"],
        venues=[wide, "Alnus Auditorium", long],
    )

    alone, extraction = extract(handmade.lectures(doubtful)), extract(handmade.lectures(doubtful, certain))

    assert [warning.row for warning in alone.warnings] == [1]
    assert [event.venues for event in extraction.events] == [(wide,), ("Alnus Auditorium",), (long,), (long,)]
    assert extraction.warnings == ()


def test_a_class_without_a_venue_keeps_its_place_after_a_wrapped_name() -> None:
    row = handmade.lecture_cells(
        activities=["L1", "L2", "L3"],
        days=["Monday", "Tuesday", "Friday"],
        times=["08:30 - 09:20", "09:30 - 10:20", "10:30 - 11:20"],
        venues=["Foo Building Computer Labs 4,5,6", "", "Maple 3-7"],
    )

    extraction = extract(handmade.lectures(row))

    assert [event.venues for event in extraction.events] == [
        ("Foo Building Computer Labs 4,5,6",),
        (),
        ("Maple 3-7",),
    ]
    assert extraction.warnings == ()


def test_rooms_of_one_class_are_one_event_in_printed_order() -> None:
    row = handmade.lecture_cells(
        activities=["P1", "P1", "P2"],
        days=["Monday", "Monday", "Monday"],
        times=["08:30 - 09:20", "08:30 - 09:20", "08:30 - 09:20"],
        venues=["Oak 2-26", "Maple 3-7", "Elm 4"],
    )

    extraction = extract(handmade.lectures(row))

    assert [event.venues for event in extraction.events] == [("Oak 2-26", "Maple 3-7"), ("Elm 4",)]


def test_the_kind_letter_after_the_language_is_no_part_of_it() -> None:
    one: dict[str, Any] = {"days": ["Monday"], "times": ["08:30 - 09:20"], "venues": ["Oak 2-26"]}
    rows = [
        handmade.lecture_cells(activities=["L1"], language=printed, **one) for printed in ("E L", "EL", "E", "A/E L")
    ]

    events = extract(handmade.lectures(*rows)).events

    assert [event.language for event in events if isinstance(event, printed.Lecture)] == ["E", "E", "E", "A/E"]


def test_an_unknown_campus_and_a_module_without_its_blank_are_no_reason_to_warn() -> None:
    row = handmade.lecture_cells(
        module="ABC123",
        campus="MOON BASE",
        activities=["L1"],
        days=["Monday"],
        times=["08:30 - 09:20"],
        venues=["Oak 2-26"],
    )

    extraction = extract(handmade.lectures(row))

    (event,) = extraction.events
    assert isinstance(event, printed.Lecture)
    assert (event.module, event.campus) == ("ABC 123", "MOON BASE")
    assert extraction.warnings == ()


def test_days_and_times_that_differ_in_number_leave_the_row_out() -> None:
    right = handmade.lecture_cells(activities=["L1"], days=["Monday"], times=["08:30 - 09:20"], venues=["Oak 2-26"])
    wrong = handmade.lecture_cells(
        activities=["L1", "L2"], days=["Monday", "Tuesday", "Friday"], times=["08:30 - 09:20"], venues=["Elm 4"]
    )

    extraction = extract(handmade.lectures(right, wrong))

    assert len(extraction.events) == 1
    assert [(warning.page, warning.row) for warning in extraction.warnings] == [(1, 2)]


def test_an_exams_wrapped_cells_are_each_one_text() -> None:
    cells = ["FINAL", "ABC 123", "1", "Exam Written", "03 NOV 2025", "08:30", "ONDT AND HATF"]
    more = ["Hatfield Campus Sports Grounds", "Great Western Auditorium Building North Hall", ""]

    (event,) = extract(handmade.exams([[text] if text else [] for text in cells + more])).events

    assert isinstance(event, printed.Exam)
    assert (event.activity, event.module_campus) == ("Exam Written", "ONDT AND HATF")
    assert (event.exam_campus, event.venues, event.comments) == (more[0], (more[1],), "")


def test_two_study_programmes_belong_to_one_row_and_a_wrapped_one_is_joined() -> None:
    one: dict[str, Any] = {"activities": ["L1"], "days": ["Monday"], "times": ["08:30 - 09:20"], "venues": ["Oak 2-26"]}
    rows = [["12133404", "12134010"], ["BSc Botany", "BCom Law"], ["BSc Information and Knowledge"]]

    events = extract(handmade.lectures(*[handmade.lecture_cells(programmes=cell, **one) for cell in rows])).events

    assert [list(event.study_programmes) for event in events if isinstance(event, printed.Lecture)] == rows
