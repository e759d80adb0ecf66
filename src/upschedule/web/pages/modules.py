"""The modules of a schedule and their groups: shown to be chosen from, and read back from the form. Pure."""

import collections
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from upschedule.calendars.model import Choices
from upschedule.timetable.colours import Colour, colour_of
from upschedule.timetable.event import Event, Lecture

#: Between the parts of a group's value: module, kind, group.
SEPARATOR = "|"
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
            selected = names if attended is None else [name for name in names if name in attended]
            chosen = selected[0] if len(selected) == 1 else ""
            label = _GROUP_KINDS.get(kind, f"Groups {kind}")
            yield GroupChoice(kind=kind, label=label, groups=tuple(names), chosen=chosen)


def choices_from_form(form: Sequence[tuple[str, str]], events: Iterable[Event], before: Choices) -> Choices:
    """The choices that the form makes; those that it does not ask for stay as `before`.

    A hidden module keeps the groups that were chosen for it.
    """
    listed, shown = _values(form, "module"), set(_values(form, "show"))
    chosen: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for value in _values(form, "group"):
        module, kind, group = _group(value)
        chosen[module][kind] = group
    attended = {module: _attended(groups, chosen[module]) for module, groups in _groups(events).items()}
    in_form = {module for module in attended if chosen[module]}
    unchanged = {module: groups for module, groups in before.groups.items() if module not in in_form}
    narrowed = {module: attended[module] for module in in_form if any(chosen[module].values())}
    hidden = tuple(module for module in listed if module not in shown)
    return msgspec.structs.replace(before, hidden_modules=hidden, groups=unchanged | narrowed)


def _group(value: str) -> tuple[str, str, str]:
    rest, _, group = value.rpartition(SEPARATOR)
    module, _, kind = rest.rpartition(SEPARATOR)
    return module, kind, group


def _values(form: Sequence[tuple[str, str]], name: str) -> list[str]:
    return [value for field, value in form if field == name]


def _groups(events: Iterable[Event]) -> Mapping[str, set[str]]:
    groups: dict[str, set[str]] = collections.defaultdict(set)
    for event in events:
        if isinstance(event, Lecture):
            groups[event.module].add(event.group)
    return groups


def _attended(groups: Iterable[str], chosen: Mapping[str, str]) -> tuple[str, ...]:
    """All but those of a kind of which another one was chosen."""
    return tuple(sorted(group for group in groups if (chosen.get(group[:1]) or group) == group))
