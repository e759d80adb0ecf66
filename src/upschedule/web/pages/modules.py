"""The modules of a schedule with their colours and the groups to choose from. Pure."""

import collections
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from upschedule.timetable.colours import Colour, colour_of
from upschedule.timetable.event import Event, Lecture

_GROUP_KINDS = {"G": "Lectures", "P": "Practicals", "T": "Tutorials", "L": "Lectures"}


class GroupChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Groups of one kind (`P01`, `P02`), of which a student attends one."""

    kind: str
    label: str
    groups: tuple[str, ...]


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """A module as the page shows it."""

    name: str
    colour: Colour
    entries: int
    choices: tuple[GroupChoice, ...]


def modules(events: Sequence[Event], colours: Mapping[str, Colour]) -> tuple[Module, ...]:
    """In the order of their names; `colours` are those that were chosen."""
    counts = collections.Counter(event.module for event in events)
    groups: dict[str, set[str]] = collections.defaultdict(set)
    for event in events:
        if isinstance(event, Lecture) and event.group:
            groups[event.module].add(event.group)
    return tuple(
        Module(
            name=name,
            colour=colours.get(name) or colour_of(name),
            entries=counts[name],
            choices=tuple(_choices(groups[name])),
        )
        for name in sorted(counts)
    )


def _choices(groups: Iterable[str]) -> Iterable[GroupChoice]:
    kinds: dict[str, list[str]] = collections.defaultdict(list)
    for group in sorted(groups):
        kinds[group[0]].append(group)
    for kind, names in kinds.items():
        if len(names) > 1:
            yield GroupChoice(kind=kind, label=_GROUP_KINDS.get(kind, f"Groups {kind}"), groups=tuple(names))
