"""The modules of a schedule with their colours and the groups to choose from. Pure."""

import collections
from collections.abc import Iterable, Sequence

import msgspec

from upschedule.calendars.model import Choices
from upschedule.timetable.colours import Colour, colour_of
from upschedule.timetable.event import Event, Lecture

_GROUP_KINDS = {"G": "Lectures", "P": "Practicals", "T": "Tutorials", "L": "Lectures"}


class GroupChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Groups of one kind (`P01`, `P02`), of which a student attends one; `chosen` is empty for all."""

    kind: str
    label: str
    groups: tuple[str, ...]
    chosen: str


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """A module as the page shows it."""

    name: str
    colour: Colour
    entries: int
    shown: bool
    choices: tuple[GroupChoice, ...]


def modules(events: Sequence[Event], choices: Choices) -> tuple[Module, ...]:
    """In the order of their names."""
    counts = collections.Counter(event.module for event in events)
    groups: dict[str, set[str]] = collections.defaultdict(set)
    for event in events:
        if isinstance(event, Lecture) and event.group:
            groups[event.module].add(event.group)
    return tuple(
        Module(
            name=name,
            colour=choices.colours.get(name) or colour_of(name),
            entries=counts[name],
            shown=name not in choices.hidden_modules,
            choices=tuple(_choices(groups[name], choices.groups.get(name))),
        )
        for name in sorted(counts)
    )


def _choices(groups: Iterable[str], attended: Sequence[str] | None) -> Iterable[GroupChoice]:
    kinds: dict[str, list[str]] = collections.defaultdict(list)
    for group in sorted(groups):
        kinds[group[0]].append(group)
    for kind, names in kinds.items():
        if len(names) > 1:
            kept = names if attended is None else [name for name in names if name in attended]
            label = _GROUP_KINDS.get(kind, f"Groups {kind}")
            yield GroupChoice(kind=kind, label=label, groups=tuple(names), chosen=kept[0] if len(kept) == 1 else "")
