"""The rules of docs/calendar.md, checked in the bytes and with two parsers."""

import datetime as dt
import re
from pathlib import Path

import pytest
import vobject
from icalendar import Calendar

from tests.support.builders.timetable import (
    HEADER,
    academic_year,
    document,
    exam,
    lecture,
    period,
    published,
    semester_test,
)
from tests.support.calendar_parsers import by_icalendar, by_vobject, content_lines
from upschedule.timetable.academic_year import FollowedDay
from upschedule.timetable.icalendar import with_source, write

GOLDEN = Path(__file__).with_name("golden.ics")
YEAR = academic_year(
    recesses=(period("2026-04-04", "2026-04-12"),),
    follows=(FollowedDay(date=dt.date(2026, 4, 28), weekday="Monday"),),
)


def _values(text: bytes, name: str) -> list[str]:
    return [value for found, _, value in content_lines(text) if found == name]


def _line(text: bytes, name: str) -> str:
    return next(f"{found}{parameters}:{value}" for found, parameters, value in content_lines(text) if found == name)


def test_a_small_calendar_has_exactly_the_known_bytes() -> None:
    """The file shows rules 1 to 13.

    After a wanted change, check each line of the difference, then store the new file.
    """
    events = (lecture(), lecture(activity="P1", day="Friday", group="P02"), semester_test(), exam(status="PROVISIONAL"))

    assert document(*events, year=YEAR) == GOLDEN.read_bytes()


def test_the_header_names_method_and_refresh_and_contains_no_invitation() -> None:
    """Rules 1 and 10: with an organizer, Outlook would show an invitation."""
    names = {name for name, _, _ in content_lines(document(lecture()))}

    assert not names & {"ORGANIZER", "ATTENDEE", "RDATE", "COUNT"}
    assert _line(document(), "METHOD") == "METHOD:PUBLISH"
    assert _line(document(), "REFRESH-INTERVAL") == "REFRESH-INTERVAL;VALUE=DURATION:PT4H"
    assert _line(document(), "X-PUBLISHED-TTL") == "X-PUBLISHED-TTL:PT4H"
    assert _values(document(), "NAME") == _values(document(), "X-WR-CALNAME") == ["My timetable"]
    assert _values(document(), "X-WR-TIMEZONE") == ["Africa/Johannesburg"]


def test_there_is_one_time_zone_without_history_and_every_time_is_in_it() -> None:
    """Rule 2 requires a time zone without history."""
    text = document(lecture(), semester_test(), exam(), year=YEAR)

    assert _values(text, "TZOFFSETFROM") == _values(text, "TZOFFSETTO") == ["+0200"]
    assert text.count(b"BEGIN:VTIMEZONE") == 1
    assert text.count(b"BEGIN:DAYLIGHT") == 0
    for name, parameters, _ in content_lines(text)[20:]:
        if name in {"DTSTART", "DTEND", "EXDATE"}:
            assert parameters == ";TZID=Africa/Johannesburg"


def test_the_first_class_is_one_that_happens() -> None:
    """Rule 3: 6 and 27 April 2026 are holidays."""
    year = academic_year(terms={"S1": period("2026-04-06", "2026-05-22")})

    assert _values(document(lecture(), year=year), "DTSTART")[1] == "20260413T083000"


def test_the_last_day_of_term_has_its_class() -> None:
    """Rule 4: a recurrence rule that ends at 00:00Z of that Friday omits the class."""
    text = document(lecture(day="Friday", start="07:30"))

    assert _values(text, "RRULE") == ["FREQ=WEEKLY;UNTIL=20260522T215959Z;BYDAY=FR"]
    for starts in (*by_icalendar(text).values(), *by_vobject(text).values()):
        assert starts[-1] == dt.datetime(2026, 5, 22, 7, 30)  # noqa: DTZ001 - South African wall-clock time


def test_exdates_carry_the_start_and_name_only_what_the_rule_generates() -> None:
    """Rule 5 requires it, since calendar programs ignore other EXDATEs."""
    assert _line(document(lecture()), "EXDATE") == ("EXDATE;TZID=Africa/Johannesburg:20260406T083000,20260427T083000")
    assert _values(document(lecture(day="Tuesday")), "EXDATE") == []


def test_a_day_that_follows_another_weekday_is_an_event_of_its_own() -> None:
    """Rule 6: Tuesday 28 April follows Monday's timetable."""
    text = document(lecture(), lecture(day="Tuesday", activity="L2"), year=YEAR)
    starts = by_icalendar(text)

    assert starts == by_vobject(text)
    assert [moment for found in starts.values() if len(found) == 1 for moment in found] == [
        dt.datetime(2026, 4, 28, 8, 30)  # noqa: DTZ001 - South African wall-clock time
    ]
    assert any("20260428T083000" in value for value in _values(text, "EXDATE"))
    assert any("Monday's timetable is followed" in value for value in _values(text, "DESCRIPTION"))


def test_equal_entries_give_equal_bytes() -> None:
    """Rule 8 requires that equal calendars are equal files."""
    events = [lecture(), semester_test(), exam()]

    assert document(*events) == document(*reversed(events))


def test_a_cancelled_entry_says_so_and_rings_no_more() -> None:
    """Rule 9 requires STATUS:CANCELLED without an alarm."""
    items = published(semester_test())
    cancelled = write(HEADER, [type(items[0])(**{**_fields(items[0]), "cancelled": True})])

    assert _values(write(HEADER, items), "STATUS") == ["CONFIRMED"]
    assert _values(cancelled, "STATUS") == ["CANCELLED"]
    assert b"VALARM" not in cancelled


def _fields(item: object) -> dict[str, object]:
    return {name: getattr(item, name) for name in ("entry", "sequence", "modified_at")}


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"status": "PROVISIONAL"}, "Not final"),
        ({"venues": ()}, "No venue yet"),
        ({"venues": ("Consult Department",)}, "No venue yet"),
    ],
)
def test_an_exam_that_is_not_settled_is_tentative_and_says_so(changes: dict[str, object], doubt: str) -> None:
    """Rule 9 requires STATUS:TENTATIVE."""
    text = document(exam(**changes))

    assert _values(text, "STATUS") == ["TENTATIVE"]
    assert doubt in _values(text, "DESCRIPTION")[1]


def test_an_exam_ends_after_three_hours_and_says_that_this_is_assumed() -> None:
    text = document(exam())

    assert _values(text, "DTEND") == ["20260603T103000"]
    assert "The end is assumed" in _values(text, "DESCRIPTION")[1]
    assert _values(text, "STATUS") == ["CONFIRMED"]


def test_an_exam_may_end_after_midnight() -> None:
    assert _values(document(exam(start="22:30")), "DTEND") == ["20260604T013000"]


def test_categories_name_module_and_kind_and_colours_are_css_names() -> None:
    """Rule 11 defines categories and colours."""
    text = document(lecture(activity="P1"), exam(module="XYZ 210"))

    assert sorted(_values(text, "CATEGORIES")) == ["ABC 123,practical", "XYZ 210,exam"]
    assert all(re.fullmatch("[a-z]+", value) for value in _values(text, "COLOR"))


def test_reminders_depend_on_the_kind() -> None:
    """Rule 12: an exam has reminders a day and an hour before, a test an hour before, and a lecture none."""
    assert _values(document(lecture()), "TRIGGER") == []
    assert _values(document(semester_test()), "TRIGGER") == ["-PT1H"]
    assert _values(document(exam()), "TRIGGER") == ["-P1D", "-PT1H"]


def test_rooms_are_joined_and_the_campus_comes_last() -> None:
    """Rule 13 defines the form of a location."""
    text = document(lecture(venues=("XYZ II - 5", "Foo Building CBT Labs 4,5,6"), campus="HATF"))

    assert str(Calendar.from_ical(text).events[0]["LOCATION"]) == "XYZ II - 5; Foo Building CBT Labs 4,5,6; Hatfield"


def test_an_unknown_campus_passes_through_unchanged() -> None:
    text = document(lecture(campus="MOON base"))

    assert str(Calendar.from_ical(text).events[0]["LOCATION"]) == "Maple 3-7; MOON base"


def test_hostile_text_stays_text() -> None:
    """Rule 1: text is escaped and folded at the border of a character, and cannot begin another property."""
    room = "A\r\nATTENDEE:mailto:x@example.test\x00\x07;B,C\\n" + "é😀" * 60
    text = document(lecture(venues=(room,), module="ABC\n123"))
    (event,) = Calendar.from_ical(text).events
    other = vobject.readOne(text.decode()).vevent
    meant = "A ATTENDEE:mailto:x@example.test ;B,C\\n" + "é😀" * 60 + "; Hatfield"

    assert str(event["LOCATION"]) == other.location.value == meant
    assert "ATTENDEE" not in event
    content_lines(text)


def test_the_feeds_address_is_named_and_folded() -> None:
    """Rule 10 requires SOURCE."""
    address = "https://example.test/calendars/" + "t" * 60 + ".ics"
    text = with_source(document(lecture()), address)

    assert _line(text, "SOURCE") == f"SOURCE;VALUE=URI:{address}"
    assert text.count(b"SOURCE") == 1
    assert by_icalendar(text) == by_icalendar(document(lecture()))
