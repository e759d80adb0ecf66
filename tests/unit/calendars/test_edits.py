"""An owner's edits appear on every date and in the file, beside the printed values."""

import datetime as dt

import msgspec
import pytest

from tests.support.builders.calendars import MOMENT, assembly
from tests.support.builders.timetable import exam, lecture, semester_test
from tests.support.calendar_parsers import by_icalendar, by_vobject, content_lines
from upschedule.calendars.build import CalendarOptions, build_feed, build_records
from upschedule.calendars.clashes import settled_clashes
from upschedule.calendars.errors import InvalidCalendar
from upschedule.calendars.validation import check_edits
from upschedule.timetable.edits import Edit, Edits, OwnEvent
from upschedule.timetable.event import Event, Lecture

OPTIONS = CalendarOptions(
    public_url="https://example.test", uid_domain="upschedule.app", exam_minutes=180, cancelled_days=30
)
CHOIR = OwnEvent(id="1", title="Choir", date=dt.date(2026, 2, 2), start="18:00", end="19:00")


def _id(event: Event) -> str:
    return assembly(event).named[0][0]


def _feed(*events: Event, edits: Edits) -> bytes:
    edited = assembly(*events, edits=edits)
    return build_feed(edited, build_records(edited, {}, OPTIONS, now=MOMENT).values(), options=OPTIONS)


def _values(document: bytes, name: str) -> list[str]:
    return [value for found, _, value in content_lines(document) if found == name]


def test_an_edit_changes_what_it_names_and_nothing_else() -> None:
    event = lecture(day="Monday", start="08:30", end="09:20")
    edit = Edit(title="Statics", day="Friday", start="10:30", end="11:20", place="Room 1", note="Blue book")
    before, after = _feed(event, edits=Edits()), _feed(event, edits=Edits(entries={_id(event): edit}))

    assert _values(after, "UID") == _values(before, "UID")
    assert _values(after, "SUMMARY") == ["Statics"]
    assert _values(after, "LOCATION")[0].startswith("Room 1")
    starts = by_icalendar(after)
    assert starts == by_vobject(after)
    assert {(start.weekday(), start.time()) for found in starts.values() for start in found} == {(4, dt.time(10, 30))}
    (description,) = (value for value in _values(after, "DESCRIPTION") if "Blue book" in value)
    assert "The schedule says: Monday 08:30 to 09:20." in description


def test_an_edit_stays_when_a_newer_printing_moves_the_entry() -> None:
    """A field that was not edited has the value of the newer printing."""
    edits = Edits(entries={_id(lecture(day="Monday")): Edit(note="Blue book", place="Room 1")})
    edited = assembly(lecture(day="Thursday", venues=("Elsewhere",)), edits=edits)

    (named,) = (event for _, event in edited.named)
    assert isinstance(named, Lecture)
    assert (named.venues, named.day) == (("Room 1",), "Thursday")
    assert [event.venues for event in edited.printed.values()] == [("Elsewhere",)]


def test_an_exam_with_an_end_of_its_owner_has_no_assumed_one() -> None:
    event = exam()
    document = _feed(event, edits=Edits(entries={_id(event): Edit(start="09:00", end="10:30", reminders=(15,))}))

    assert [value[-6:] for value in _values(document, "DTEND")] == ["103000"]
    assert not any("assumed" in value for value in _values(document, "DESCRIPTION"))
    assert _values(document, "TRIGGER") == ["-PT15M"]


def test_a_test_on_another_date_keeps_its_uid() -> None:
    event = semester_test()
    moved = _feed(event, edits=Edits(entries={_id(event): Edit(date=dt.date(2026, 4, 1))}))

    assert [value[:8] for value in _values(moved, "DTSTART")][-1] == "20260401"
    assert _values(moved, "UID") == _values(_feed(event, edits=Edits()), "UID")


def test_an_entry_of_ones_own_is_in_the_file_and_in_the_clashes() -> None:
    """It is weekly until its last day, and has its own category."""
    other = semester_test(date=dt.date(2026, 2, 9), start="18:30", end="19:30")
    own = OwnEvent(
        id="1", title="Choir", date=dt.date(2026, 2, 2), start="18:00", end="19:00", weekly_until=dt.date(2026, 2, 16)
    )
    document = _feed(other, edits=Edits(own=(own,)))

    dates = {start.date() for found in by_icalendar(document).values() for start in found}
    assert dates == {dt.date(2026, 2, 2), dt.date(2026, 2, 9), dt.date(2026, 2, 16)}
    assert by_icalendar(document) == by_vobject(document)
    assert "own" in _values(document, "CATEGORIES")
    (clash,) = settled_clashes(assembly(other, edits=Edits(own=(own,))))
    assert clash.dates == (dt.date(2026, 2, 9),)


@pytest.mark.parametrize(
    ("edits", "field"),
    [
        (Edits(entries={"a": Edit(start="08:30")}), "edits.entries.a.end"),
        (Edits(entries={"a": Edit(end="08:30")}), "edits.entries.a.start"),
        (Edits(entries={"a": Edit(start="08:30", end="08:30")}), "edits.entries.a.end"),
        (Edits(entries={"a": Edit(date=dt.date(1999, 1, 1))}), "edits.entries.a.date"),
        (Edits(own=(CHOIR, CHOIR)), "edits.own"),
        (Edits(own=(msgspec.structs.replace(CHOIR, title=" \x07 "),)), "edits.own.0.title"),
        (
            Edits(own=(msgspec.structs.replace(CHOIR, date=dt.date.max, weekly_until=dt.date.max),)),
            "edits.own.0.date",
        ),
        (Edits(own=(OwnEvent(id="1", title="C", date=CHOIR.date, start="10:00", end="09:00"),)), "edits.own.0.end"),
        (
            Edits(own=(OwnEvent(id="1", title="C", date=CHOIR.date, start="09:00", end="10:00",
                                weekly_until=dt.date(2028, 1, 1)),)),
            "edits.own.0.weekly_until",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_field(edits: Edits, field: str) -> None:
    with pytest.raises(InvalidCalendar) as refused:
        check_edits(edits)
    assert [error.field for error in refused.value.errors] == [field]
