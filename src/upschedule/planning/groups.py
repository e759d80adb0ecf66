"""Finds the choices that a schedule leaves open: for each module and kind of class, one of the printed groups.

A schedule prints every group; a student attends one of each kind (lectures, practicals, tutorials).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from upschedule.timetable.event import Event, Lecture

#: Between a group and its kind, and between the kind and the language, where a group alone would mean more classes.
SEPARATOR = "/"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group of one kind, in one language. `entries` are the ids of its classes."""

    name: str
    language: str
    entries: tuple[str, ...]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The groups of a module and kind, of which one is attended. `kind` is the letter of the activity.

    `terms` are those in which the classes are offered, as printed.
    """

    module: str
    kind: str
    terms: tuple[str, ...]
    groups: tuple[Group, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """What names the decision in its calendar: no other one of the module and kind has these terms."""
        return self.module, self.kind, " ".join(self.terms)

    @property
    def is_open(self) -> bool:
        """Whether there is anything to choose."""
        return len(self.groups) > 1


def attends(lecture: Lecture, attended: Collection[str]) -> bool:
    """Whether a class belongs to the groups that its owner attends in this module.

    A group is named alone, with a kind (`G01/P`), or with a kind and a language (`G01/P/E`).
    """
    return not attended_names(lecture).isdisjoint(attended)


def attended_names(lecture: Lecture) -> frozenset[str]:
    """All names by which a choice can mean this class."""
    of_kind = f"{lecture.group}{SEPARATOR}{_kind(lecture)}"
    return frozenset((lecture.group, of_kind, f"{of_kind}{SEPARATOR}{lecture.language}"))


def open_entries(named: Iterable[tuple[str, Event]]) -> frozenset[str]:
    """The entries of all groups between which there is still a choice."""
    return frozenset(
        entry_id
        for decision in decisions(named)
        if decision.is_open
        for group in decision.groups
        for entry_id in group.entries
    )


def decisions(named: Iterable[tuple[str, Event]]) -> tuple[Decision, ...]:
    """The decisions of these entries by module and kind, those with a single group included.

    A group is one choice in all terms in which it is printed. Terms without a common group are decided apart: a module
    can have one group in the third quarter and another one in the fourth.
    """
    classes: defaultdict[tuple[str, str], list[tuple[str, Lecture]]] = defaultdict(list)
    for entry_id, event in named:
        if isinstance(event, Lecture):
            classes[event.module, _kind(event)].append((entry_id, event))
    found: list[Decision] = []
    for (module, kind), lectures in sorted(classes.items()):
        for part in _by_terms(lectures):
            terms = tuple(sorted({lecture.offered for _, lecture in part}))
            found.append(Decision(module=module, kind=kind, terms=terms, groups=_groups(part)))
    return tuple(found)


def attending(
    chosen: Iterable[tuple[Decision, Group]], named: Sequence[tuple[str, Event]]
) -> dict[str, tuple[str, ...]]:
    """What a calendar stores for these choices: the names of the attended groups, by module.

    Each name is as short as it can be without meaning a class of another group.
    """
    lectures = {entry_id: event for entry_id, event in named if isinstance(event, Lecture)}
    of_module: defaultdict[str, set[str]] = defaultdict(set)
    for entry_id, lecture in lectures.items():
        of_module[lecture.module].add(entry_id)
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for decision, group in chosen:
        wanted[decision.module].update(group.entries)
    found: dict[str, tuple[str, ...]] = {}
    for module, entries in wanted.items():
        others = [lectures[entry_id] for entry_id in of_module[module] - entries]
        foreign = frozenset[str]().union(*(attended_names(lecture) for lecture in others))
        found[module] = tuple(sorted({_shortest(lectures[entry_id], foreign) for entry_id in entries}))
    return found


def selected(decision: Decision, attended: Collection[str] | None, lectures: Mapping[str, Event]) -> tuple[Group, ...]:
    """The groups of a decision that are attended: all of them if nothing was chosen."""
    if attended is None:
        return decision.groups
    return tuple(group for group in decision.groups if any(_attended(lectures[e], attended) for e in group.entries))


def _attended(event: Event, attended: Collection[str]) -> bool:
    return isinstance(event, Lecture) and attends(event, attended)


def _kind(lecture: Lecture) -> str:
    return lecture.activity[:1].upper() or "L"


def _shortest(lecture: Lecture, foreign: Collection[str]) -> str:
    names = sorted(attended_names(lecture), key=len)
    return next((name for name in names if name not in foreign), names[-1])


def _by_terms(lectures: Sequence[tuple[str, Lecture]]) -> list[list[tuple[str, Lecture]]]:
    """Parts that share no group, each with all of its terms."""
    parts: list[tuple[set[str], set[str], list[tuple[str, Lecture]]]] = []
    for item in sorted(lectures, key=lambda item: (item[1].offered, item[1].group, item[0])):
        terms, groups, members = {item[1].offered}, {item[1].group}, [item]
        for part in [part for part in parts if part[0] & terms or part[1] & groups]:
            parts.remove(part)
            terms, groups, members = terms | part[0], groups | part[1], part[2] + members
        parts.append((terms, groups, members))
    return [members for _, _, members in parts]


def _groups(lectures: Iterable[tuple[str, Lecture]]) -> tuple[Group, ...]:
    entries: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for entry_id, lecture in lectures:
        entries[lecture.group, lecture.language].append(entry_id)
    return tuple(
        Group(name=name, language=language, entries=tuple(sorted(found)))
        for (name, language), found in sorted(entries.items())
    )
