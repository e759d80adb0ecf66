"""A file with wrong contents is found before it is served (rule 15)."""

import pytest

from tests.support.builders.timetable import document, exam, lecture, published, semester_test
from upschedule.timetable.verify import BrokenCalendar, verify

EVENTS = (lecture(), semester_test(), exam())


def test_a_right_file_passes() -> None:
    verify(document(*EVENTS), published(*EVENTS))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b"20260518T215959Z", b"20260518T000000Z"),
        (b"20260406T083000,", b""),
        (b"DTSTART;TZID=Africa/Johannesburg:", b"DTSTART:"),
        (b"DTEND;TZID=Africa/Johannesburg:20260603T103000", b"DTEND;TZID=Africa/Johannesburg:20260603T113000"),
        (b"SUMMARY:ABC 123 Test1", b"SUMMARY:ABC 123 Test2"),
        (b"STATUS:CONFIRMED", b"STATUS:TENTATIVE"),
        (b"SEQUENCE:0", b"SEQUENCE:1"),
        (b"END:VCALENDAR\r\n", b"END:VCALENDAR"),
        (b"END:VCALENDAR\r\n", b""),
        (b"BEGIN:VEVENT\r\n", b""),
        (b"PRODID:-//UP Schedule Generator//", b"PRODID:-//UP Schedule Generator//" + b"x" * 60),
        (b"\r\n", b"\n"),
    ],
)
def test_a_changed_file_is_refused(right: bytes, wrong: bytes) -> None:
    text = document(*EVENTS)
    broken = text.replace(right, wrong)

    assert broken != text
    with pytest.raises(BrokenCalendar):
        verify(broken, published(*EVENTS))


def test_a_character_cut_by_folding_is_refused() -> None:
    items = published(lecture(venues=("é" * 80,)))
    text = document(lecture(venues=("é" * 80,)))
    cut = text.replace("é".encode(), b"\xc3\r\n \xa9", 1)

    with pytest.raises(BrokenCalendar):
        verify(cut, items)


def test_a_missing_entry_and_an_added_one_are_refused() -> None:
    with pytest.raises(BrokenCalendar):
        verify(document(*EVENTS[:2]), published(*EVENTS))
    with pytest.raises(BrokenCalendar):
        verify(document(*EVENTS), published(*EVENTS[:2]))
