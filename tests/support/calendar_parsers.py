"""Reads calendar files as others do: two parsers of different families, and the grammar of RFC 5545 line by line."""

import datetime as dt
import re
from collections import defaultdict
from typing import Any

import recurring_ical_events
import vobject
from icalendar import Calendar

#: UID → every start that a calendar program shows, as South African wall-clock times.
Starts = dict[str, list[dt.datetime]]

_NAME = r"[A-Za-z0-9-]+"
_PARAMETER = rf'{_NAME}=(?:"[^"\x00-\x08\x0a-\x1f\x7f]*"|[^";:,\x00-\x08\x0a-\x1f\x7f]*)'
_CONTENT_LINE = re.compile(rf"^({_NAME})((?:;{_PARAMETER})*):([^\x00-\x08\x0a-\x1f\x7f]*)$")
_TEXT = re.compile(r"^(?:[^\\;,]|\\[\\;,nN])*$")
_TEXTS = {"SUMMARY", "LOCATION", "DESCRIPTION", "NAME", "X-WR-CALNAME", "X-WR-CALDESC"}


def by_icalendar(document: bytes) -> Starts:
    """The occurrences as the `icalendar` family expands them."""
    found: Starts = defaultdict(list)
    calendar = Calendar.from_ical(document)
    for event in recurring_ical_events.of(calendar).between(dt.date(2000, 1, 1), dt.date(2101, 1, 1)):
        start: Any = event.decoded("DTSTART")
        assert start.utcoffset() == dt.timedelta(hours=2)
        found[str(event["UID"])].append(start.replace(tzinfo=None))
    return {uid: sorted(starts) for uid, starts in found.items()}


def by_vobject(document: bytes) -> Starts:
    """The occurrences as vobject expands them, with its own parser and the time zone that the file defines."""
    found: Starts = {}
    calendar = vobject.readOne(document.decode())
    for event in calendar.contents.get("vevent", []):
        start = event.dtstart.value
        assert start.utcoffset() == dt.timedelta(hours=2)
        rules = event.getrruleset(addRDate=False)
        found[event.uid.value] = sorted(each.replace(tzinfo=None) for each in rules or [start])
    return found


def content_lines(document: bytes) -> list[tuple[str, str, str]]:
    """Name, parameters and value of each line, unfolded; asserts the grammar of RFC 5545, section 3.1."""
    assert document.endswith(b"\r\n")
    assert not document.startswith(b"\xef\xbb\xbf")
    raw = document.split(b"\r\n")[:-1]
    for line in raw:
        assert len(line) <= 75
        assert b"\r" not in line
        assert b"\n" not in line
        line.decode()  # Folding must not cut a character.
    lines = document.decode().replace("\r\n ", "").split("\r\n")[:-1]
    matches = [_CONTENT_LINE.match(line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches, strict=True) if not match]
    found = [(match[1].upper(), match[2], match[3]) for match in matches if match]
    assert all(_TEXT.match(value) for name, _, value in found if name in _TEXTS)
    _check_nesting(found)
    return found


def _check_nesting(lines: list[tuple[str, str, str]]) -> None:
    opened: list[str] = []
    for name, _, value in lines:
        if name == "BEGIN":
            opened.append(value)
        elif name == "END":
            assert opened.pop() == value
        else:
            assert opened
    assert not opened
