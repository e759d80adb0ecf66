"""A calendar as its owner makes, changes and sees it."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from upschedule.calendars.assembly import is_shown
from upschedule.calendars.clashes import CalendarClash, calendar_clashes
from upschedule.calendars.model import Changes, Choices, Planning
from upschedule.calendars.service import ListedCalendar, OwnedCalendar
from upschedule.calendars.warnings import CalendarWarning, warnings
from upschedule.timetable.colours import Colour, colour_of
from upschedule.timetable.edits import Edit, Edits, OwnEvent
from upschedule.timetable.event import Event
from upschedule.timetable.text import EntryKind, kind_of, location, summary, tentative_reasons
from upschedule.timetable.week import Week, calendar_weeks
from upschedule.web.api.academic_year_schemas import AcademicYearView, RequestedYear, academic_year_view, year_choice

CALENDARS_PATH = "/api/v1/calendars"

_Jobs = Annotated[list[UUID], Meta(min_length=1, max_length=20, description="Ids of completed jobs")]
_Name = Annotated[str, Meta(min_length=1, max_length=100)]


class NewCalendar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`academic_year` is a year, or an object with dates of this calendar's own."""

    jobs: _Jobs
    name: _Name | None = None
    academic_year: RequestedYear = None
    choices: Choices | None = None
    estimate_dates: Annotated[
        bool, Meta(description="Estimate the terms of which nothing is known from other years, instead of refusing")
    ] = False


class CalendarChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields that are left out stay unchanged.

    `academic_year: null` returns to the likeliest year and its known dates. `choices` replaces all choices, and
    `planning` all wishes and dismissed clashes, and `edits` all
    that was changed by hand. `rotate_feed` ends the present feed address and makes another;
    `feed_open: false` ends it without another.
    """

    name: _Name | UnsetType = UNSET
    jobs: _Jobs | UnsetType = UNSET
    academic_year: RequestedYear | UnsetType = UNSET
    choices: Choices | UnsetType = UNSET
    planning: Planning | UnsetType = UNSET
    edits: Edits | UnsetType = UNSET
    estimate_dates: bool | UnsetType = UNSET
    feed_open: bool | UnsetType = UNSET
    rotate_feed: bool = False


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """An entry. `printed` is what the document says; `dates` are those on which it happens, a series' all of them.

    `title`, `location` and `dates` are as the owner edited them, `start` and `end` as well; an exam's end is assumed
    unless its owner gave one. `end` is null where the entry has no dates.
    """

    id: str
    uid: str
    kind: EntryKind
    module: str
    title: str
    location: str
    colour: Colour
    start: str
    end: str | None
    note: str
    hidden: bool
    doubts: tuple[str, ...]
    job: UUID
    printed: Event
    dates: tuple[dt.date, ...]


class OwnEventView(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that the owner added; `edits.own` holds it in full under `own`."""

    id: str
    uid: str
    own: str
    colour: Colour
    dates: tuple[dt.date, ...]


class CalendarSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar in a list. Everyone with `feed_url` can read it; addresses of closed feeds are empty."""

    id: UUID
    name: str
    jobs: tuple[UUID, ...]
    created_at: dt.datetime
    updated_at: dt.datetime
    feed_url: str
    webcal_url: str
    ics_url: str


class CalendarView(CalendarSummary, frozen=True, kw_only=True):
    """A calendar. `weeks` and `clashes` leave out what is hidden; both name events by id."""

    module_feeds: dict[str, str]
    academic_year: AcademicYearView
    choices: Choices
    planning: Planning
    edits: Edits
    events: tuple[EventView, ...]
    own_events: tuple[OwnEventView, ...]
    weeks: tuple[Week, ...]
    clashes: tuple[CalendarClash, ...]
    warnings: tuple[CalendarWarning, ...]


class CalendarList(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    calendars: tuple[CalendarSummary, ...]


def changes(requested: CalendarChange) -> Changes:
    """The change in the form that the service takes."""
    year = requested.academic_year
    return Changes(
        name=requested.name,
        job_ids=requested.jobs if requested.jobs is UNSET else unique(requested.jobs),
        academic_year=UNSET if year is UNSET else year_choice(year),
        choices=requested.choices,
        planning=requested.planning,
        edits=requested.edits,
        estimate_dates=requested.estimate_dates,
        feed_open=requested.feed_open,
        rotate_feed=requested.rotate_feed,
    )


def unique(job_ids: Sequence[UUID]) -> tuple[UUID, ...]:
    """Each once, in the order given."""
    return tuple(dict.fromkeys(job_ids))


def location_of(calendar_id: UUID) -> str:
    """The path of a calendar."""
    return f"{CALENDARS_PATH}/{calendar_id}"


def summary_view(listed: ListedCalendar) -> CalendarSummary:
    """The summary of a calendar in a list."""
    return CalendarSummary(**_summary(listed))


def calendar_view(owned: OwnedCalendar) -> CalendarView:
    """All that a page needs to show and change a calendar."""
    assembly = owned.assembly
    visible = dict(assembly.visible)
    attended = [*visible, *(entry_id for entry_id, _ in assembly.own)]
    occurrences = {entry_id: assembly.occurrences[entry_id] for entry_id in attended}
    modules = sorted({event.module for event in visible.values()})
    return CalendarView(
        **_summary(owned.listed),
        module_feeds={
            module: f"{owned.feed_url}?module={quote(module)}" if owned.feed_url else "" for module in modules
        },
        academic_year=academic_year_view(assembly),
        choices=assembly.calendar.choices,
        planning=assembly.calendar.planning,
        edits=assembly.calendar.edits,
        events=tuple(_event_view(entry_id, event, owned) for entry_id, event in assembly.named),
        own_events=tuple(_own_view(entry_id, own, owned) for entry_id, own in assembly.own),
        weeks=calendar_weeks(occurrences, assembly.year),
        clashes=calendar_clashes(assembly),
        warnings=warnings(assembly),
    )


def _summary(listed: ListedCalendar) -> dict[str, Any]:
    calendar = listed.calendar
    return {
        "id": calendar.id,
        "name": calendar.name,
        "jobs": listed.job_ids,
        "created_at": calendar.created_at,
        "updated_at": calendar.updated_at,
        "feed_url": listed.feed_url,
        "webcal_url": f"webcal://{listed.feed_url.partition('://')[2]}" if listed.feed_url else "",
        "ics_url": f"{listed.public_url}{location_of(calendar.id)}/calendar.ics",
    }


def _event_view(entry_id: str, event: Event, owned: OwnedCalendar) -> EventView:
    assembly = owned.assembly
    edit, dates = assembly.calendar.edits.entries.get(entry_id, Edit()), assembly.occurrences[entry_id]
    return EventView(
        id=entry_id,
        uid=f"{entry_id}@{owned.uid_domain}",
        kind=kind_of(event),
        module=event.module,
        title=edit.title or summary(event),
        location=location(event),
        colour=assembly.calendar.choices.colours.get(event.module) or colour_of(event.module),
        start=event.start,
        end=f"{dates[0].end:%H:%M}" if dates else None,
        note=edit.note,
        hidden=not is_shown(entry_id, event, assembly.calendar.choices),
        doubts=tuple(tentative_reasons(event)),
        job=assembly.source_of(assembly.printed[entry_id]),
        printed=assembly.printed[entry_id],
        dates=tuple(occurrence.start.date() for occurrence in dates),
    )


def _own_view(entry_id: str, own: OwnEvent, owned: OwnedCalendar) -> OwnEventView:
    return OwnEventView(
        id=entry_id,
        uid=f"{entry_id}@{owned.uid_domain}",
        own=own.id,
        colour=owned.assembly.calendar.choices.colours.get(own.title) or colour_of(own.title),
        dates=tuple(occurrence.start.date() for occurrence in own.dates),
    )
