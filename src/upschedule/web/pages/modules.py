"""Shows the modules of a schedule and their groups as choices, and parses the form. Pure functions."""

import collections
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from upschedule.calendars.errors import CalendarChanged
from upschedule.calendars.model import Choices
from upschedule.timetable.colours import Colour, colour_of
from upschedule.timetable.event import Event, Lecture

#: Between the parts of a group's value: module, kind, group.
SEPARATOR = "|"
_GROUP_KINDS = {"G": "Lectures", "P": "Practicals", "T": "Tutorials", "L": "Lectures"}


class GroupChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The groups of one kind (`P01`, `P02`), of which a student attends one. `chosen` is empty if all are shown."""

    kind: str
    label: str
    groups: tuple[str, ...]
    chosen: str


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """A module as the page shows it. `choices` is empty if only the screen for groups can show the choice."""

    name: str
    colour: Colour
    entries: int
    shown: bool
    choices: tuple[GroupChoice, ...]


def modules(events: Sequence[Event], choices: Choices) -> tuple[Module, ...]:
    """The modules, sorted by name."""
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
            choices=()
            if _is_finer(choices.groups.get(name))
            else tuple(_choices(groups[name], choices.groups.get(name))),
        )
        for name in sorted(counts)
    )


def _is_finer(attended: Sequence[str] | None) -> bool:
    """Whether the choice names kinds of class or languages, which only the screen for groups can show."""
    return any("/" in group for group in attended or ())


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
    """Applies to `before` what the student changed in the form, and nothing else.

    A form that was rendered an hour ago or in another tab therefore undoes no other change. Raises CalendarChanged if
    both changed the same groups to different ones. A hidden module keeps its chosen groups.
    """
    shown, ticked, events = _as_shown(form, before), set(_values(form, "show")), list(events)
    unticked = (shown.modules - ticked) & {event.module for event in events}
    hidden = (set(before.hidden_modules) | unticked) - (ticked - shown.modules)
    groups = dict(before.groups)
    for module, existing in _groups(events).items():
        wanted = {
            kind: group
            for (name, kind), group in _chosen(form, "group").items()
            if name == module and [group] != list(shown.groups.get((module, kind), ()))[-1:]
        }
        if wanted:
            groups[module] = _attended(existing, before.groups.get(module), wanted, shown.groups, module)
            if groups[module] == tuple(sorted(existing)):
                del groups[module]
    return msgspec.structs.replace(before, hidden_modules=tuple(sorted(hidden)), groups=groups)


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What the form showed: the ticked modules, and the chosen group of each module and kind.

    If a script saves a choice before an earlier save was answered, it names both groups, the later one last.
    """

    modules: set[str]
    groups: Mapping[tuple[str, str], Sequence[str]]


def _as_shown(form: Sequence[tuple[str, str]], before: Choices) -> _Shown:
    if _values(form, "differences"):
        return _Shown(modules=set(_values(form, "shown")), groups=_expected(form))
    # A form of an earlier release does not say what it showed: all of it counts.
    return _Shown(modules=set(_values(form, "module")) - set(before.hidden_modules), groups={})


def _attended(
    existing: set[str],
    before: Sequence[str] | None,
    wanted: Mapping[str, str],
    shown: Mapping[tuple[str, str], Sequence[str]],
    module: str,
) -> tuple[str, ...]:
    """The groups attended before, without the kinds for which the form chooses another group or all."""
    attended = existing if before is None else set(before)
    # As they are, also with the kind and the language of their classes.
    result = {group for group in attended if group[:1] not in wanted}
    for kind, group in wanted.items():
        of_kind = {name for name in existing if name[:1] == kind}
        now = _single({name.partition("/")[0] for name in attended} & of_kind)
        if (module, kind) in shown and now not in {*shown[module, kind], group}:
            raise CalendarChanged
        result |= {group} & of_kind if group else of_kind
    return tuple(sorted(result))


def _single(groups: set[str]) -> str:
    """The chosen group; empty if several are chosen."""
    return next(iter(groups)) if len(groups) == 1 else ""


def _chosen(form: Sequence[tuple[str, str]], name: str) -> dict[tuple[str, str], str]:
    found = map(_group, _values(form, name))
    return {(module, kind): group for module, kind, group in found}


def _expected(form: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[str]]:
    found: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
    for module, kind, group in map(_group, _values(form, "chosen")):
        found[module, kind].append(group)
    return dict(found)


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
