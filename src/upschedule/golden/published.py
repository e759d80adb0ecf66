"""Reads a calendar file's entries without what differs between clusters: addresses, ids, stamps, length of exams."""

import datetime as dt

import msgspec
from icalendar import Alarm, Calendar
from icalendar import Event as ParsedEvent

_EXAM = "exam"
_LINK = "As printed: "


class PublishedEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Times are `YYYY-MM-DDTHH:MM`. `end` is empty for an exam, whose length is a setting.

    `description` has no line with the link, and an exam's has `{minutes}` in place of its length. `rule` is the RRULE.
    """

    kind: str
    module: str
    summary: str
    start: str
    end: str = ""
    location: str = ""
    description: tuple[str, ...] = ()
    colour: str
    status: str
    rule: str = ""
    excluded: tuple[str, ...] = ()
    #: Minutes before the start.
    reminders: tuple[int, ...] = ()


def published_entries(file: bytes) -> tuple[PublishedEntry, ...]:
    """The entries in the order of the file. Raises ValueError for a file that is no calendar of this project."""
    try:
        return tuple(_entry(event) for event in Calendar.from_ical(file).events)
    except (KeyError, IndexError, AttributeError, TypeError) as error:
        raise ValueError(f"an entry lacks {error}") from error


def _entry(event: ParsedEvent) -> PublishedEntry:
    module, kind = map(str, event.categories)
    is_exam = kind == _EXAM
    start, end = _moment(event.start), _moment(event.end)
    minutes = int((end - start) / dt.timedelta(minutes=1))
    description = [line for line in str(event["DESCRIPTION"]).split("\n") if line != f"{_LINK}{event['URL']}"]
    return PublishedEntry(
        kind=kind,
        module=module,
        summary=str(event["SUMMARY"]),
        start=_local(start),
        end="" if is_exam else _local(end),
        location=str(event.get("LOCATION", "")),
        description=tuple(line.replace(f"{minutes} minutes", "{minutes} minutes") for line in description)
        if is_exam
        else tuple(description),
        colour=str(event["COLOR"]),
        status=str(event["STATUS"]),
        rule=" ".join(rule.to_ical().decode() for rule in event.rrules),
        excluded=tuple(_local(date) for date in event.exdates),
        reminders=tuple(_minutes_before(alarm) for alarm in event.subcomponents if isinstance(alarm, Alarm)),
    )


def _minutes_before(alarm: Alarm) -> int:
    if not isinstance(alarm.TRIGGER, dt.timedelta):
        raise TypeError(f"a relative trigger: {alarm.TRIGGER}")
    return int(-alarm.TRIGGER / dt.timedelta(minutes=1))


def _moment(value: object) -> dt.datetime:
    if not isinstance(value, dt.datetime):
        raise TypeError(f"a time of day: {value}")
    return value


def _local(value: object) -> str:
    return f"{_moment(value):%Y-%m-%dT%H:%M}"
