"""Builds calendar entries from printed events: a weekly series without the dates that are not held, or single dates."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from upschedule.timetable.academic_year import AcademicYear
from upschedule.timetable.colours import Colour, colour_of
from upschedule.timetable.edits import Edit, OwnEvent, edited
from upschedule.timetable.event import Event, Exam, weekday_of
from upschedule.timetable.occurrences import Occurrence, occurrences
from upschedule.timetable.reminders import Reminders
from upschedule.timetable.text import (
    EntryKind,
    clean,
    description,
    kind_of,
    location,
    summary,
    tentative_reasons,
    times,
)
from upschedule.timetable.uid import followed_id

_WEEK = dt.timedelta(days=7)


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The content of a VEVENT. Times are South African wall-clock times.

    With `until`, the last day of it, the entry repeats weekly except on `excluded`. `own`: its owner added it; its
    `kind` and `module` say nothing then.
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
    own: bool = False


class EntryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a calendar's entries. `page_url` is the page that shows where an entry is printed.

    `edits` are what the owner changed, by entry id.
    """

    uid_domain: str
    page_url: str
    exam_minutes: int
    reminders: Mapping[EntryKind, Reminders]
    colours: Mapping[str, Colour] = {}
    edits: Mapping[str, Edit] = {}


def entries(
    named: Sequence[tuple[str, Event]],
    year: AcademicYear,
    options: EntryOptions,
    own: Sequence[tuple[str, OwnEvent]] = (),
) -> tuple[Entry, ...]:
    """The entries of `named`, printed events with their ids, and of `own`.

    They are sorted by start and UID: equal calendars have equal bytes.
    """
    found = [entry for entry_id, event in named for entry in _of_event(entry_id, event, year, options)]
    found += [_of_own(entry_id, event, options) for entry_id, event in own]
    return tuple(sorted(found, key=lambda entry: (entry.start, entry.uid)))


def _of_event(entry_id: str, printed: Event, year: AcademicYear, options: EntryOptions) -> Iterator[Entry]:
    edit = options.edits.get(entry_id, Edit())
    event = edited(printed, edit)
    found = occurrences(event, year, exam_minutes=edit.minutes or options.exam_minutes)
    if regular := [occurrence for occurrence in found if not occurrence.followed]:
        yield _entry(entry_id, printed, regular, options)
    # An event of its own, since calendars support an added date (RDATE) poorly.
    for occurrence in found:
        if occurrence.followed:
            entry = _entry(entry_id, printed, [occurrence], options)
            date = occurrence.start.date()
            note = f"On this {weekday_of(date)} {occurrence.followed}'s timetable is followed."
            uid = f"{followed_id(entry_id, date)}@{options.uid_domain}"
            yield msgspec.structs.replace(entry, uid=uid, description=f"{note}\n{entry.description}")


def _of_own(entry_id: str, own: OwnEvent, options: EntryOptions) -> Entry:
    first, last = own.dates[0], own.dates[-1]
    return Entry(
        uid=f"{entry_id}@{options.uid_domain}",
        own=True,
        module="",
        # A release that knows no such entries reads the stored ones, and knows only kinds that are printed.
        kind="lecture",
        summary=clean(own.title),
        location=clean(own.place),
        description="\n".join((*_note_lines(own.note), "Added by yourself.")),
        url=options.page_url,
        colour=options.colours.get(own.title) or colour_of(own.title),
        start=first.start,
        end=first.end,
        until=last.start.date() if last is not first else None,
        reminders=own.reminders,
    )


def _entry(entry_id: str, printed: Event, dates: Sequence[Occurrence], options: EntryOptions) -> Entry:
    kind, link = kind_of(printed), f"{options.page_url}#{entry_id}"
    edit = options.edits.get(entry_id, Edit())
    event = edited(printed, edit)
    assumed_minutes = options.exam_minutes if isinstance(event, Exam) and edit.minutes is None else None
    first, last = dates[0], dates[-1]
    return Entry(
        uid=f"{entry_id}@{options.uid_domain}",
        module=clean(event.module),
        kind=kind,
        summary=clean(edit.title or "") or summary(event),
        location=location(event),
        description="\n".join(
            (
                *_note_lines(edit.note),
                *_as_printed(printed, event),
                description(event, assumed_minutes=assumed_minutes, link=link),
            )
        ),
        url=link,
        colour=options.colours.get(event.module) or colour_of(event.module),
        start=first.start,
        end=first.end,
        until=last.start.date() if last is not first else None,
        excluded=tuple(_excluded_dates(dates)),
        tentative=bool(tentative_reasons(event)),
        reminders=options.reminders.get(kind, ()) if edit.reminders is None else edit.reminders,
    )


def _note_lines(note: str) -> list[str]:
    return [line for line in map(clean, note.splitlines()) if line]


def _as_printed(printed: Event, event: Event) -> Iterator[str]:
    """What the schedule says where the owner has changed it."""
    if times(printed) != times(event):
        yield f"The schedule says: {times(printed)}."
    if location(printed) != location(event):
        yield f"The schedule says: {location(printed) or 'no venue'}."


def _excluded_dates(dates: Sequence[Occurrence]) -> Iterator[dt.date]:
    """The dates that a weekly rule from the first date to the last generates, but on which no class is held."""
    dates_held = {occurrence.start.date() for occurrence in dates}
    date = dates[0].start.date()
    while date < dates[-1].start.date():
        if date not in dates_held:
            yield date
        date += _WEEK
