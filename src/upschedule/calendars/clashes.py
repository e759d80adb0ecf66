"""Clashes of a calendar as its owner sees them. Pure functions."""

import datetime as dt
import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.planning.groups import open_entries
from upschedule.timetable.clash import Clash, clashes
from upschedule.timetable.edits import OwnEvent
from upschedule.timetable.event import Event, Exam, Lecture, Test

_HEX_DIGITS = 16
#: More pairs than a person looks through; an owner with so many has not chosen groups yet.
CLASHES_MAX = 200


class CalendarClash(Clash, frozen=True, kw_only=True):
    """`id` stays while both entries keep their weekday or date and their hours.

    `settled`: both are attended in every choice of the groups that are still open. `dismissed`: by the owner.
    """

    id: str
    settled: bool
    dismissed: bool


def calendar_clashes(assembly: CalendarAssembly) -> tuple[CalendarClash, ...]:
    """Between all entries that are shown; groups of one kind that are open are alternatives to each other."""
    return _clashes(assembly, {**dict(assembly.visible), **dict(assembly.own)}, settled_entries(assembly))


def settled_clashes(assembly: CalendarAssembly) -> tuple[CalendarClash, ...]:
    """Those that no choice of groups that are still open can avoid."""
    settled = settled_entries(assembly)
    printed = {key: event for key, event in assembly.visible if key in settled}
    return _clashes(assembly, {**printed, **dict(assembly.own)}, settled)


def clash_dates(assembly: CalendarAssembly) -> Mapping[str, frozenset[dt.date]]:
    """The dates on which each entry clashes with another one, by entry id.

    Clashes that an open decision can still avoid and dismissed clashes do not count. Entries without clashes are left
    out.
    """
    found: defaultdict[str, set[dt.date]] = defaultdict(set)
    for clash in settled_clashes(assembly):
        if not clash.dismissed:
            for entry_id in clash.events:
                found[entry_id].update(clash.dates)
    return {entry_id: frozenset(dates) for entry_id, dates in found.items()}


def settled_entries(assembly: CalendarAssembly) -> frozenset[str]:
    """Entries that are attended: tests, exams, the owner's own, and classes of which only one group is shown."""
    undecided = open_entries(assembly.visible)
    printed = (entry_id for entry_id, _ in assembly.visible if entry_id not in undecided)
    return frozenset((*printed, *(entry_id for entry_id, _ in assembly.own)))


def _clashes(
    assembly: CalendarAssembly, events: Mapping[str, Event | OwnEvent], settled: Collection[str]
) -> tuple[CalendarClash, ...]:
    dates = {entry_id: assembly.occurrences[entry_id] for entry_id in events}
    dismissed = assembly.calendar.planning.dismissed_clashes
    return tuple(_as_seen(clash, events, settled, dismissed) for clash in clashes(events, dates, pairs_max=CLASHES_MAX))


def _as_seen(
    clash: Clash, events: Mapping[str, Event | OwnEvent], settled: Collection[str], dismissed: Collection[str]
) -> CalendarClash:
    words = [(entry_id, *_when(events[entry_id])) for entry_id in clash.events]
    clash_id = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:_HEX_DIGITS]
    return CalendarClash(
        id=clash_id,
        events=clash.events,
        dates=clash.dates,
        settled=all(entry_id in settled for entry_id in clash.events),
        dismissed=clash_id in dismissed,
    )


def _when(event: Event | OwnEvent) -> tuple[str, ...]:
    match event:
        case OwnEvent():
            return event.date.isoformat(), event.start, event.end
        case Lecture():
            return event.day, event.start, event.end
        case Test():
            return event.date.isoformat(), event.start, event.end
        case Exam():
            return event.date.isoformat(), event.start
