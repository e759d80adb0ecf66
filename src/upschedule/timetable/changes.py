"""Compares two printings of one schedule: what moved, was added or removed, or has other rooms. Pure functions."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Literal

import msgspec

from upschedule.timetable.event import Event, Exam, Lecture
from upschedule.timetable.merge import identity, merge
from upschedule.timetable.uid import name_of, slot_order

#: `moved`: to another day. `details`: everything else that is printed, such as the status of an exam.
ChangeKind = Literal["added", "removed", "moved", "time", "venue", "details"]

_NOT_COMPARED = {"page", "boxes", "day", "date", "start", "end", "venues"}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that differs. `before` is None for an added one, `after` for a removed one."""

    kinds: tuple[ChangeKind, ...]
    before: Event | None
    after: Event | None

    @property
    def event(self) -> Event:
        """The value as printed last."""
        found = self.after or self.before
        assert found is not None  # noqa: S101 - for the type checker: one of the two is set
        return found


def changes(before: Sequence[Event], after: Sequence[Event]) -> tuple[Change, ...]:
    """The changes, by module and name. Entries are paired by what their UIDs are made of.

    So one that moved is one change. Of several slots of one activity, those that did not move are paired first.
    """
    paired: list[tuple[Event | None, Event | None]] = []
    old, new = _by_name(before), _by_name(after)
    for name in sorted(old.keys() | new.keys()):
        paired += _paired(old[name], new[name])
    return tuple(
        Change(kinds=kinds, before=first, after=second) for first, second in paired if (kinds := _kinds(first, second))
    )


def _by_name(events: Sequence[Event]) -> defaultdict[tuple[str, ...], list[Event]]:
    found: defaultdict[tuple[str, ...], list[Event]] = defaultdict(list)
    for event in sorted(merge([events]), key=slot_order):
        kind, module, *rest = name_of(event, year=0)
        found[(module, kind, *rest)].append(event)
    return found


def _paired(old: Sequence[Event], new: Sequence[Event]) -> Iterator[tuple[Event | None, Event | None]]:
    unmoved = {identity(event): event for event in old}
    kept = {key: event for event in new if (key := identity(event)) in unmoved}
    for key, event in kept.items():
        yield unmoved[key], event
    rest_old = [event for event in old if identity(event) not in kept]
    rest_new = [event for event in new if identity(event) not in kept]
    yield from zip_longest(rest_old, rest_new)


def _kinds(before: Event | None, after: Event | None) -> tuple[ChangeKind, ...]:
    if before is None:
        return ("added",)
    if after is None:
        return ("removed",)
    found: list[ChangeKind] = []
    if _day(before) != _day(after):
        found.append("moved")
    if _times(before) != _times(after):
        found.append("time")
    if sorted(before.venues) != sorted(after.venues):
        found.append("venue")
    if _details(before) != _details(after):
        found.append("details")
    return tuple(found)


def _day(event: Event) -> str:
    return event.day if isinstance(event, Lecture) else event.date.isoformat()


def _times(event: Event) -> tuple[str, str]:
    return event.start, "" if isinstance(event, Exam) else event.end


def _details(event: Event) -> dict[str, object]:
    return {name: getattr(event, name) for name in event.__struct_fields__ if name not in _NOT_COMPARED}
