"""Writes calendar files that Google, Apple and Outlook accept: RFC 5545 and 7986 by the rules of docs/calendar.md."""

import datetime as dt
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

import msgspec
from icalendar import Alarm, Calendar, Component, Event, Timezone, TimezoneStandard, vDuration, vText, vUri
from icalendar.parser import Contentline

from upschedule.timetable.entry import Entry
from upschedule.timetable.event import DAYS, weekday_of
from upschedule.timetable.text import clean

TIME_ZONE = "Africa/Johannesburg"
_SAST = ZoneInfo(TIME_ZONE)
_OFFSET = dt.timedelta(hours=2)
_BYDAY = {day: day[:2].upper() for day in DAYS}
_REFRESH = dt.timedelta(hours=4)
_METHOD_LINE = b"METHOD:PUBLISH\r\n"


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """An entry with its published SEQUENCE and status. `modified_at` is in UTC and whole seconds."""

    entry: Entry
    sequence: int
    modified_at: dt.datetime
    cancelled: bool = False


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The properties of the calendar itself. `url` is its web page."""

    name: str
    description: str
    url: str


def write(header: Header, published: Iterable[Published]) -> bytes:
    """The bytes of the file. Equal arguments give equal bytes."""
    calendar = _head(header)
    calendar.add_component(_time_zone())
    for item in published:
        calendar.add_component(_event(item))
    return calendar.to_ical(sorted=False)


def with_source(document: bytes, feed_url: str) -> bytes:
    """The file with the address of its feed. Separate from `write`, so that no stored file contains a feed's token."""
    line = Contentline(f"SOURCE;VALUE=URI:{feed_url}").to_ical() + b"\r\n"
    return document.replace(_METHOD_LINE, _METHOD_LINE + line, 1)


def _head(header: Header) -> Calendar:
    name, description = vText(clean(header.name)), vText(header.description)
    calendar = Calendar()
    _add(
        calendar,
        {
            "prodid": "-//UP Schedule Generator//upschedule//EN",
            "version": "2.0",
            "calscale": "GREGORIAN",
            "method": "PUBLISH",
            "name": name,
            "x-wr-calname": name,
            "description": description,
            "x-wr-caldesc": description,
            "x-wr-timezone": vText(TIME_ZONE),
            "url": vUri(header.url),
            "refresh-interval": vDuration(_REFRESH, params={"VALUE": "DURATION"}),
            "x-published-ttl": vDuration(_REFRESH),
        },
    )
    return calendar


def _time_zone() -> Timezone:
    """No historic offsets: their seconds made Outlook on the web refuse a feed."""
    zone, standard = Timezone(), TimezoneStandard()
    epoch = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - local time by definition
    _add(zone, {"tzid": TIME_ZONE})
    _add(standard, {"dtstart": epoch, "tzoffsetfrom": _OFFSET, "tzoffsetto": _OFFSET, "tzname": "SAST"})
    zone.add_component(standard)
    return zone


def _event(item: Published) -> Event:
    entry, event = item.entry, Event()
    stamps = {"dtstamp": item.modified_at, "last-modified": item.modified_at, "sequence": item.sequence}
    _add(event, {"uid": vText(entry.uid), **stamps, "status": status(item)})
    _add(event, {"dtstart": entry.start.replace(tzinfo=_SAST), "dtend": entry.end.replace(tzinfo=_SAST)})
    _add(event, _repetition(entry))
    texts = {"summary": entry.summary, "location": entry.location, "description": entry.description}
    _add(event, {name: vText(text) for name, text in texts.items() if text})
    categories = ["own"] if entry.own else [entry.module, entry.kind]
    _add(event, {"categories": categories, "color": vText(entry.colour), "url": vUri(entry.url)})
    for minutes in () if item.cancelled else entry.reminders:
        alarm = Alarm()
        trigger = dt.timedelta(minutes=-minutes)
        _add(alarm, {"action": "DISPLAY", "description": vText(entry.summary), "trigger": trigger})
        event.add_component(alarm)
    return event


def status(item: Published) -> str:
    """The value of STATUS."""
    if item.cancelled:
        return "CANCELLED"
    return "TENTATIVE" if item.entry.tentative else "CONFIRMED"


def _repetition(entry: Entry) -> dict[str, object]:
    if entry.until is None:
        return {}
    # The last moment of the last day, in UTC: the start of that day would lose its classes.
    until = dt.datetime.combine(entry.until, dt.time(23, 59, 59), tzinfo=dt.UTC) - _OFFSET
    rule = {"freq": "WEEKLY", "byday": _BYDAY[weekday_of(entry.start)], "until": until}
    clock = entry.start.time().replace(tzinfo=_SAST)
    excluded = [dt.datetime.combine(date, clock) for date in entry.excluded]
    return {"rrule": rule, "exdate": excluded} if excluded else {"rrule": rule}


def _add(component: Component, properties: Mapping[str, object]) -> None:
    for name, value in properties.items():
        component.add(name, value)  # pyright: ignore[reportUnknownMemberType] - the library leaves `value` untyped
