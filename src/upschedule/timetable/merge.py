"""Merges events that several rows or documents print: joins the rooms of one class, and drops repetitions."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from upschedule.timetable.event import Event, Exam, Lecture, Test

T = TypeVar("T")


def merge(documents: Iterable[Sequence[Event]]) -> tuple[Event, ...]:
    """Merges `documents`, from oldest to newest. If two print the same entry, the newer one's rooms win.

    The result's order depends on neither the documents' order nor their pages'.
    """
    entries: dict[tuple[str, ...], Event] = {}
    for events in documents:
        entries |= _within(events)
    return tuple(entries[key] for key in sorted(entries))


def identity(event: Event) -> tuple[str, ...]:
    """A key that is equal for one entry. It leaves out rooms: their order and number differ between exports."""
    match event:
        case Lecture():
            row = (event.module, event.offered, event.group, event.language, event.activity)
            return ("lecture", *row, event.day, event.start, event.end)
        case Test():
            return ("test", event.module, event.test, event.date.isoformat(), event.start, event.end)
        case Exam():
            paper = (event.module, event.paper, event.activity)
            return ("exam", *paper, event.date.isoformat(), event.start)


def _within(events: Sequence[Event]) -> dict[tuple[str, ...], Event]:
    """Merges the rows of one document: a class in two rooms can be two rows."""
    entries: dict[tuple[str, ...], Event] = {}
    for event in events:
        key = identity(event)
        entries[key] = _joined(entries[key], event) if key in entries else event
    return entries


def _joined(first: Event, second: Event) -> Event:
    joined = msgspec.structs.replace(
        first, venues=_union(first.venues, second.venues), boxes=_union(first.boxes, second.boxes)
    )
    if isinstance(joined, Lecture) and isinstance(second, Lecture):
        programmes = _union(joined.study_programmes, second.study_programmes)
        return msgspec.structs.replace(joined, study_programmes=programmes)
    return joined


def _union(first: Sequence[T], second: Sequence[T]) -> tuple[T, ...]:
    return (*first, *(item for item in second if item not in first))
