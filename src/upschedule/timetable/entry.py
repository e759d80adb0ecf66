"""Builds calendar entries from printed events: a weekly series without the dates that are not held, or single dates."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from upschedule.timetable.academic_year import AcademicYear
from upschedule.timetable.colours import Colour, colour_of
from upschedule.timetable.event import Event, weekday_of
from upschedule.timetable.occurrences import Occurrence, occurrences
from upschedule.timetable.text import EntryKind, clean, description, kind_of, location, summary, tentative_reasons
from upschedule.timetable.uid import followed_id

_WEEK = dt.timedelta(days=7)
#: Minutes before the start.
Reminders = Annotated[tuple[Annotated[int, Meta(ge=0, le=20160)], ...], Meta(max_length=5)]
DEFAULT_REMINDERS: Mapping[EntryKind, Reminders] = {
    "lecture": (), "practical": (), "tutorial": (), "test": (60,), "exam": (1440, 60),
}  # fmt: skip


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The content of a VEVENT. Times are South African wall-clock times.

    With `until`, the last day of it, the entry repeats weekly except on `excluded`.
    """

    uid: str
    module: str
    kind: EntryKind
    summary: str
    location: str
    description: str
    url: str
    colour: Colour
    start: dt.datetime
    end: dt.datetime
    until: dt.date | None = None
    excluded: tuple[dt.date, ...] = ()
    tentative: bool = False
    reminders: tuple[int, ...] = ()


class EntryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a calendar's entries. `page_url` is the page that shows where an entry is printed."""

    uid_domain: str
    page_url: str
    exam_minutes: int
    reminders: Mapping[EntryKind, Reminders]
    colours: Mapping[str, Colour] = {}


def entries(named: Sequence[tuple[str, Event]], year: AcademicYear, options: EntryOptions) -> tuple[Entry, ...]:
    """The entries of `named`, events with their ids, sorted by start and UID: equal calendars have equal bytes."""
    found = [entry for entry_id, event in named for entry in _of_event(entry_id, event, year, options)]
    return tuple(sorted(found, key=lambda entry: (entry.start, entry.uid)))


def _of_event(entry_id: str, event: Event, year: AcademicYear, options: EntryOptions) -> Iterator[Entry]:
    found = occurrences(event, year, exam_minutes=options.exam_minutes)
    if regular := [occurrence for occurrence in found if not occurrence.followed]:
        yield _entry(entry_id, event, regular, options)
    # An event of its own, since calendars support an added date (RDATE) poorly.
    for occurrence in found:
        if occurrence.followed:
            entry = _entry(entry_id, event, [occurrence], options)
            date = occurrence.start.date()
            note = f"On this {weekday_of(date)} {occurrence.followed}'s timetable is followed."
            uid = f"{followed_id(entry_id, date)}@{options.uid_domain}"
            yield msgspec.structs.replace(entry, uid=uid, description=f"{note}\n{entry.description}")


def _entry(entry_id: str, event: Event, dates: Sequence[Occurrence], options: EntryOptions) -> Entry:
    kind, link = kind_of(event), f"{options.page_url}#{entry_id}"
    first, last = dates[0], dates[-1]
    return Entry(
        uid=f"{entry_id}@{options.uid_domain}",
        module=clean(event.module),
        kind=kind,
        summary=summary(event),
        location=location(event),
        description=description(event, exam_minutes=options.exam_minutes, link=link),
        url=link,
        colour=options.colours.get(event.module) or colour_of(event.module),
        start=first.start,
        end=first.end,
        until=last.start.date() if last is not first else None,
        excluded=tuple(_excluded_dates(dates)),
        tentative=bool(tentative_reasons(event)),
        reminders=options.reminders.get(kind, ()),
    )


def _excluded_dates(dates: Sequence[Occurrence]) -> Iterator[dt.date]:
    """The dates that a weekly rule from the first date to the last generates, but on which no class is held."""
    dates_held = {occurrence.start.date() for occurrence in dates}
    date = dates[0].start.date()
    while date < dates[-1].start.date():
        if date not in dates_held:
            yield date
        date += _WEEK
