"""Modules and groups as chosen in the form. Pure."""

import collections
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from upschedule.calendars.model import Choices
from upschedule.timetable.event import Event, Lecture

#: Between the parts of a group's value: module, kind, group.
SEPARATOR = "|"


def choices(form: Sequence[tuple[str, str]], events: Iterable[Event], before: Choices) -> Choices:
    """What the form does not ask for stays as `before`. A hidden module keeps the groups that were chosen for it."""
    listed, shown = _values(form, "module"), set(_values(form, "show"))
    chosen: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for value in _values(form, "group"):
        module, kind, group = _group(value)
        chosen[module][kind] = group
    attended = {module: _attended(groups, chosen[module]) for module, groups in _groups(events).items()}
    asked = {module for module in attended if chosen[module]}
    kept = {module: groups for module, groups in before.groups.items() if module not in asked}
    narrowed = {module: attended[module] for module in asked if any(chosen[module].values())}
    hidden = tuple(module for module in listed if module not in shown)
    return msgspec.structs.replace(before, hidden_modules=hidden, groups=kept | narrowed)


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
