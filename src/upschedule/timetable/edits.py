"""What an owner changes of printed entries, and entries of the owner's own. Pure functions.

Changes are kept by entry id, which a newer printing leaves as it is: a new upload loses none of them.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from upschedule.timetable.event import ClockTime, Day, Event, Exam, Lecture, weekday_of
from upschedule.timetable.occurrences import Occurrence, at
from upschedule.timetable.reminders import Reminders
from upschedule.timetable.text import clean
from upschedule.timetable.uid import own_id

#: Longest title or place, longest note, and most entries that a calendar keeps of each sort.
TITLE_MAX, NOTE_MAX, ENTRIES_MAX = 200, 2000, 500
_WEEK = dt.timedelta(weeks=1)

_Text = Annotated[str, Meta(max_length=TITLE_MAX)]
_Title = Annotated[str, Meta(min_length=1, max_length=TITLE_MAX)]
_Note = Annotated[str, Meta(max_length=NOTE_MAX)]
_OwnId = Annotated[str, Meta(pattern="^[A-Za-z0-9-]{1,64}$")]
_Many = Meta(max_length=ENTRIES_MAX)


class Edit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the owner changed of an entry. What is left out stays as printed, also in a newer printing.

    `day` is for classes and `date` for tests and exams; `start` and `end` are given together. `place` replaces the
    rooms, not the campus. `reminders` replace those of the entry's kind.
    """

    title: _Title | None = None
    day: Day | None = None
    date: dt.date | None = None
    start: ClockTime | None = None
    end: ClockTime | None = None
    place: _Text | None = None
    note: _Note = ""
    reminders: Reminders | None = None

    @property
    def minutes(self) -> int | None:
        """The length that the owner gave."""
        return _minutes(self.end) - _minutes(self.start) if self.start and self.end else None


class OwnEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An entry of the owner's own, on one date, or weekly until the last one. `id` is unique in its calendar."""

    id: _OwnId
    title: _Title
    date: dt.date
    start: ClockTime
    end: ClockTime
    weekly_until: dt.date | None = None
    place: _Text = ""
    note: _Note = ""
    reminders: Reminders = ()

    @property
    def dates(self) -> tuple[Occurrence, ...]:
        """All of them, in order."""
        return tuple(self._occurrences())

    def _occurrences(self) -> Iterator[Occurrence]:
        date = self.date
        while date <= (self.weekly_until or self.date):
            yield Occurrence(start=at(date, self.start), end=at(date, self.end))
            date += _WEEK


class Edits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """All that an owner changed by hand. `entries` by entry id; an id that is not in the calendar changes nothing."""

    entries: Annotated[dict[_Text, Edit], _Many] = {}
    own: Annotated[tuple[OwnEvent, ...], _Many] = ()


def edited(event: Event, edit: Edit | None) -> Event:
    """The entry with the owner's day, time and place. The given length of an exam is not part of it: `edit.minutes`."""
    if edit is None:
        return event
    changes: dict[str, object] = {}
    if edit.start and edit.end:
        changes |= {"start": edit.start} if isinstance(event, Exam) else {"start": edit.start, "end": edit.end}
    if edit.place is not None:
        changes["venues"] = (edit.place,) if clean(edit.place) else ()
    if isinstance(event, Lecture):
        changes |= {"day": edit.day} if edit.day else {}
    elif edit.date:
        changes |= {"date": edit.date} if isinstance(event, Exam) else {"date": edit.date, "day": weekday_of(edit.date)}
    return msgspec.structs.replace(event, **changes)


def named_own(edits: Edits, *, calendar_id: str) -> list[tuple[str, OwnEvent]]:
    """The owner's entries with the ids that they have in the calendar."""
    return [(own_id(calendar_id, own.id), own) for own in edits.own]


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])
