"""Verifies a calendar file: parses it again, and compares it with the entries that it was written from."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from icalendar import Calendar
from icalendar import Event as ParsedEvent

from upschedule.timetable.entry import Entry
from upschedule.timetable.event import weekday_of
from upschedule.timetable.icalendar import TIME_ZONE, Published, status

_LINE_BYTES_MAX = 75


class BrokenCalendar(Exception):
    """The file differs from its entries: a bug in the writer. Such a file is never served."""


def verify(document: bytes, published: Sequence[Published]) -> None:
    """Raises BrokenCalendar."""
    _verify_lines(document)
    try:
        events = {event.uid: event for event in Calendar.from_ical(document).events}
        found = {uid: _facts(event) for uid, event in events.items()}
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise BrokenCalendar(f"unreadable: {error}") from error
    expected = {item.entry.uid: _expected(item) for item in published}
    if len(published) != len(expected):
        raise BrokenCalendar("a UID occurs twice")
    if found != expected:
        wrong = [uid for uid in expected.keys() | found.keys() if expected.get(uid) != found.get(uid)]
        raise BrokenCalendar(f"{len(wrong)} entries differ, such as {wrong[0]}")


def _verify_lines(document: bytes) -> None:
    if not document.endswith(b"END:VCALENDAR\r\n"):
        raise BrokenCalendar("the end is missing")
    for line in document.removesuffix(b"\r\n").split(b"\r\n"):
        if len(line) > _LINE_BYTES_MAX or b"\n" in line or b"\r" in line:
            raise BrokenCalendar("a line is not folded")
        # Raises UnicodeDecodeError, a ValueError, inside a character that folding cut.
        _decoded(line)


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise BrokenCalendar("a character is cut") from error


def _facts(event: ParsedEvent) -> dict[str, Any]:
    return {
        "start": _local(event.start),
        "end": _local(event.end),
        "rules": [rule.to_ical().decode() for rule in event.rrules],
        "excluded": [_local(date) for date in event.exdates],
        "sequence": event.sequence,
        "status": str(event["STATUS"]),
        "summary": event.summary,
        "location": event.location or "",
        "description": event.description,
    }


def _expected(item: Published) -> dict[str, Any]:
    entry = item.entry
    return {
        "start": entry.start.isoformat(),
        "end": entry.end.isoformat(),
        "rules": [_rule(entry)] if entry.until else [],
        "excluded": [dt.datetime.combine(date, entry.start.time()).isoformat() for date in entry.excluded],
        "sequence": item.sequence,
        "status": status(item),
        "summary": entry.summary,
        "location": entry.location,
        "description": entry.description,
    }


def _rule(entry: Entry) -> str:
    return f"FREQ=WEEKLY;UNTIL={entry.until:%Y%m%d}T215959Z;BYDAY={weekday_of(entry.start)[:2].upper()}"


def _local(moment: object) -> str:
    if not isinstance(moment, dt.datetime) or str(moment.tzinfo) != TIME_ZONE:
        raise BrokenCalendar(f"{moment} is not in {TIME_ZONE}")
    return moment.replace(tzinfo=None).isoformat()
