"""The data of a calendar: its row, its owner's choices, its documents and its academic year."""

import datetime as dt
from typing import Annotated, get_args
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from upschedule.planning.wishes import Wishes
from upschedule.timetable.academic_year import YearDates
from upschedule.timetable.colours import Colour
from upschedule.timetable.edits import Edits
from upschedule.timetable.estimate import Estimate
from upschedule.timetable.event import Event, ReadingWarning
from upschedule.timetable.reminders import Reminders
from upschedule.timetable.text import EntryKind

#: The jobs of an older document and of a newer one that replaces it.
Replaced = tuple[UUID, UUID]

#: Longest name and most names in each field of `Choices`.
NAME_MAX, NAMES_MAX = 100, 500
_Text = Annotated[str, Meta(max_length=NAME_MAX)]
_Many = Meta(max_length=NAMES_MAX)
#: The library leaves the names of a literal out of the schema that it makes.
_KINDS = Meta(extra_json_schema={"propertyNames": {"enum": list(get_args(EntryKind))}})


class Choices(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the owner wants to see. `groups`: those attended, by module; a module that is not named keeps all.

    A group is named alone (`G01`), or with the kind and the language of its classes (`G01/P`, `G01/P/E`).

    `hidden_events` holds ids of entries; `reminders` are minutes before the start, by kind.
    """

    hidden_events: Annotated[tuple[_Text, ...], _Many] = ()
    hidden_modules: Annotated[tuple[_Text, ...], _Many] = ()
    groups: Annotated[dict[_Text, Annotated[tuple[_Text, ...], _Many]], _Many] = {}
    reminders: Annotated[dict[EntryKind, Reminders], _KINDS] = {}
    colours: Annotated[dict[_Text, Colour], _Many] = {}


class Planning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The owner's choice of groups. `dismissed_clashes` are the ids of clashes that are not shown as such."""

    # By a factory, since the description of the interface hashes plain defaults, and a dict in one has no hash.
    wishes: Wishes = msgspec.field(default_factory=Wishes)
    dismissed_clashes: Annotated[tuple[_Text, ...], _Many] = ()


class LastEdit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the edits, hidden entries and colours were before the last change on the page, so that it can be undone.

    `title` says what was changed. `colours` is None if the change was made in a release that keeps none.
    """

    title: str
    edits: Edits = Edits()
    hidden_events: tuple[str, ...] = ()
    colours: dict[_Text, Colour] | None = None


class YearChoice(msgspec.Struct, frozen=True, kw_only=True):
    """An academic year, None for the likeliest, and dates that differ from those known."""

    year: int | None = None
    dates: YearDates = YearDates()

    @property
    def is_explicit(self) -> bool:
        """Whether the owner fixed the year, by naming it or by giving dates that lie in it."""
        return self.year is not None or self.dates != YearDates()


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """The changes of a request; unset fields stay as they are. `rotate_feed` ends the present feed address.

    A feed that is closed and opened again has another address, as if it had been rotated.

    `last_edit` is what undoes `edits` or the entries that `choices` hide; without it they cannot be undone.

    With `job_ids` alone, all documents count in full, and none is replaced by another.
    """

    name: str | UnsetType = UNSET
    job_ids: tuple[UUID, ...] | UnsetType = UNSET
    replaced: tuple[Replaced, ...] | UnsetType = UNSET
    academic_year: YearChoice | UnsetType = UNSET
    choices: Choices | UnsetType = UNSET
    planning: Planning | UnsetType = UNSET
    edits: Edits | UnsetType = UNSET
    last_edit: LastEdit | None = None
    estimate_dates: bool | UnsetType = UNSET
    feed_open: bool | UnsetType = UNSET
    rotate_feed: bool = False


class Calendar(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row of `calendars`. `dates` override those of the year; the year follows the documents unless `year_chosen`.

    With `estimate_dates`, terms of which nothing is known are estimated until their dates are entered. Without
    `feed_open` the calendar has no feed. A field with a default is left out of the hash of a cached file, so that a
    new one makes no file outdated.
    """

    id: UUID
    account_id: UUID
    name: str
    token_generation: int
    academic_year: int
    year_chosen: bool
    dates: YearDates
    choices: Choices
    created_at: dt.datetime
    updated_at: dt.datetime
    estimate_dates: bool = False
    planning: Planning = Planning()
    feed_open: bool = True
    edits: Edits = Edits()
    last_edit: LastEdit | None = None


# A row of `academic_years`. Operators edit it without a release. The docstring is part of the public OpenAPI document.
class KnownYear(msgspec.Struct, frozen=True, kw_only=True):
    """The known dates of an academic year, before an owner changes them for a calendar."""

    year: int
    dates: YearDates
    source: str
    confirmed: bool
    updated_at: dt.datetime


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A job that a calendar joins, with what was read from it."""

    job_id: UUID
    events: tuple[Event, ...]
    warnings: tuple[ReadingWarning, ...]


class CalendarInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that a calendar's content depends on. `documents`: jobs, oldest first, with the end of their reading.

    `replaced` also names older documents that are no longer among `documents`. `estimate` is None unless the calendar
    takes estimated dates.
    """

    calendar: Calendar
    known: KnownYear | None
    documents: tuple[tuple[UUID, dt.datetime | None], ...]
    replaced: tuple[Replaced, ...] = ()
    estimate: Estimate | None = None

    @property
    def job_ids(self) -> tuple[UUID, ...]:
        """The jobs of the documents, oldest first."""
        return tuple(job_id for job_id, _ in self.documents)


class FeedInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What a request of a feed reads: the calendar, and the file that was built last, with the `basis` of that.

    `modules`: those that were in the calendar when it was made or changed. `used_at`: when the account was last used,
    by a visit or through a feed.
    """

    inputs: CalendarInputs
    file: bytes | None
    basis: bytes | None
    modules: frozenset[str]
    used_at: dt.datetime


class CalendarOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that all calendars share. `public_url` has no slash at its end.

    `exam_minutes` is the length assumed for every exam. A download names removed entries for `cancelled_days`.
    """

    public_url: str
    uid_domain: str
    exam_minutes: int
    cancelled_days: int
