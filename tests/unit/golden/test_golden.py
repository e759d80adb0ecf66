"""The golden documents match their descriptions, and a wrong reading of any field is found."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.support.documents.golden import made, printed
from tests.support.documents.reading import extract
from upschedule import golden
from upschedule.golden import Golden, GoldenSet
from upschedule.golden.comparison import entry_differences, extraction_differences
from upschedule.golden.published import published_entries
from upschedule.timetable.event import Box, Event, Extraction, Lecture, ReadingWarning
from upschedule.timetable.merge import identity

LOADED = golden.load()
each_layout = pytest.mark.parametrize("document", LOADED.documents, ids=golden.LAYOUTS)


def test_the_files_are_those_that_their_program_makes() -> None:
    """`python -m tests.support.documents.golden` writes these files."""
    assert golden.load() == msgspec.json.decode(msgspec.json.encode(made()), type=GoldenSet)


@each_layout
def test_each_has_several_pages_and_a_page_ends_amid_rows(document: Golden) -> None:
    """A row over a page break is the hardest case for a reader. The portal breaks no row of an exam schedule."""
    placed = printed(document.layout)
    assert placed.pages == 3
    assert {row.page for row in placed.placed} >= {1, 2}
    assert any(row.more_pages for row in placed.placed) is (document.layout != "exams")


@each_layout
def test_each_has_both_semesters(document: Golden) -> None:
    assert {semester_of(event) for event in document.expected.events} >= {"S1", "S2"}


def test_an_entry_has_parts_on_both_sides_of_a_page_break() -> None:
    """The rooms of one class or test are on two pages."""
    for document in LOADED.documents[:2]:
        assert [event for event in document.expected.events if len({box.page for box in event.boxes}) > 1]


@each_layout
def test_no_two_entries_of_a_document_are_joined_in_a_calendar(document: Golden) -> None:
    assert len({identity(event) for event in document.expected.events}) == len(document.expected.events)


@each_layout
def test_this_release_reads_each_exactly(document: Golden) -> None:
    assert document.differences(extract(document.document)) == []


@each_layout
def test_every_field_of_every_entry_counts(document: Golden) -> None:
    """A difference is reported with its layout and field."""
    events = document.expected.events
    for number, event in enumerate(events):
        for field, changed in changes(event):
            wrong = document.differences(
                msgspec.structs.replace(document.expected, events=(*events[:number], changed, *events[number + 1 :]))
            )
            assert wrong, (field, event)
            assert wrong[0].startswith(f"{document.layout}: {field} of "), wrong


@each_layout
def test_an_entry_too_few_too_many_or_elsewhere_is_named(document: Golden) -> None:
    whole, events = document.expected, document.expected.events
    count = len(events)

    def differences(*read: Event) -> list[str]:
        return extraction_differences(document.layout, whole, msgspec.structs.replace(whole, events=read))

    first = " ".join(identity(events[0]))
    assert differences(*events[1:]) == [f"{document.layout}: events: 1 of {count} are missing, the first is {first}"]
    assert differences(events[0], *events) == [f"{document.layout}: events: 1 stand twice"]
    assert differences(*events[::-1]) == [f"{document.layout}: events: in another order than printed"]
    other = msgspec.structs.replace(events[0], module="NEW 100")
    assert f"{document.layout}: events: 1 are not in the document" in differences(*events, other)[0]


@each_layout
def test_warnings_and_pages_count(document: Golden) -> None:
    expected = document.expected
    assert document.differences(msgspec.structs.replace(expected, pages=9)) == [
        f"{document.layout}: pages: 9, not {expected.pages}"
    ]
    assert document.differences(Extraction(events=expected.events, pages=expected.pages, warnings=(WARNING,))) == [
        f"{document.layout}: warnings: {(WARNING,)!r}, not ()"
    ]


def test_a_box_may_move_by_a_fraction_of_a_point_and_no_more() -> None:
    document = LOADED.documents[0]
    event = document.expected.events[0]

    def moved(points: float) -> list[str]:
        boxes = tuple(msgspec.structs.replace(box, left=box.left + points) for box in event.boxes)
        rest = document.expected.events[1:]
        read = (msgspec.structs.replace(event, boxes=boxes), *rest)
        return document.differences(msgspec.structs.replace(document.expected, events=read))

    assert moved(0.4) == []
    assert len(moved(3)) == 1


def test_every_entry_is_in_the_calendar_and_every_field_of_it_counts() -> None:
    entries = LOADED.calendar.entries
    modules = {event.module for document in LOADED.documents for event in document.expected.events}
    assert {entry.module for entry in entries} == modules
    assert {entry.kind for entry in entries} == {"lecture", "practical", "tutorial", "test", "exam"}
    assert [entry for entry in entries if entry.excluded and entry.rule]
    assert [entry for entry in entries if "timetable is followed" in entry.description[0]]
    for number, entry in enumerate(entries):
        for field, changed in changes(entry):
            wrong = entry_differences("feed", entries, (*entries[:number], changed, *entries[number + 1 :]))
            assert wrong, (field, entry)
            assert wrong[0].startswith(f"feed: {field} of "), wrong
    assert entry_differences("feed", entries, entries[:-1])[0].startswith(f"feed: entries: 1 of {len(entries)} are")
    assert entry_differences("feed", entries, entries[::-1]) == []


@pytest.mark.parametrize(
    "file", [b"no calendar", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"]
)
def test_a_file_that_is_no_calendar_is_a_difference(file: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        published_entries(file)
    assert LOADED.calendar.differences("feed", file)[0].startswith("feed: is not a calendar")


WARNING = msgspec.convert({"page": 1, "message": "A row is blank."}, ReadingWarning)


def semester_of(event: Event) -> str:
    if isinstance(event, Lecture):
        return event.offered
    return "S1" if event.date.month <= 6 else "S2"


def changes(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """Yields the struct with each of its fields changed in turn."""
    for field in value.__struct_fields__:
        yield field, msgspec.structs.replace(value, **{field: another(getattr(value, field))})


def another(value: Any) -> Any:
    if isinstance(value, str):
        return f"{value} "
    if isinstance(value, int):
        return value + 1
    if isinstance(value, tuple):
        return (*value, Box(page=1, left=0, top=0, right=1, bottom=1))
    return value.replace(year=value.year + 1)
