"""Combinations of groups for a calendar, and the alternatives to one of its classes. Pure functions."""

from collections.abc import Callable, Mapping

import msgspec

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.errors import TooManyGroups
from upschedule.planning.combinations import Combination, Proposals, propose
from upschedule.planning.groups import Decision, Group, attending, decisions, selected
from upschedule.planning.held import Held, held
from upschedule.planning.qualities import Qualities, qualities
from upschedule.planning.search import Limits
from upschedule.planning.wishes import TravelTimes, Wishes
from upschedule.settings import CalendarSettings
from upschedule.timetable.event import Event, Lecture

#: Groups that are attended, by module, as `Choices` names them.
Groups = Mapping[str, tuple[str, ...]]


class GroupProposal(Combination, frozen=True, kw_only=True):
    """`groups`: what `Choices` has to hold for it, with the choices of other modules."""

    groups: Groups


class GroupProposals(Proposals, frozen=True, kw_only=True):
    """`current`: the timetable as chosen now, None while a kind of class has several groups that are shown."""

    best: tuple[GroupProposal, ...]
    current: Qualities | None


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """A group that can be attended instead, with the timetable that follows if all else stays."""

    group: Group
    chosen: bool
    qualities: Qualities
    groups: Groups


def all_groups(assembly: CalendarAssembly) -> list[tuple[str, Event]]:
    """The entries of all modules that are shown, with all groups, without single entries that are hidden."""
    choices = assembly.calendar.choices
    return [
        (entry_id, event)
        for entry_id, event in assembly.named
        if event.module not in choices.hidden_modules and entry_id not in choices.hidden_events
    ]


def check_searchable(assembly: CalendarAssembly, *, classes_max: int) -> None:
    """Raises TooManyGroups."""
    if sum(isinstance(event, Lecture) for _, event in all_groups(assembly)) > classes_max:
        raise TooManyGroups


def propose_groups(
    assembly: CalendarAssembly, wishes: Wishes, settings: CalendarSettings, *, clock: Callable[[], float]
) -> GroupProposals:
    """Ranks combinations of groups by the wishes, within the limits of the settings. `clock` returns seconds."""
    named = all_groups(assembly)
    travel = travel_times(settings)
    found = propose(
        named,
        assembly.occurrences,
        wishes=wishes,
        travel=travel,
        wanted=settings.proposals_max,
        limits=Limits(
            nodes_max=settings.proposal_nodes_max,
            seconds_max=settings.proposal_milliseconds_max / 1000,
            count_steps_max=settings.proposal_count_steps_max,
        ),
        clock=clock,
        own={entry_id: held(own, own.dates) for entry_id, own in assembly.own},
    )
    return GroupProposals(
        best=tuple(
            GroupProposal(
                chosen=combination.chosen,
                qualities=combination.qualities,
                groups=_stored(assembly, named, {item.decision.key: item.group for item in combination.chosen}),
            )
            for combination in found.best
        ),
        combinations=found.combinations,
        clash_free=found.clash_free,
        fewest_clashes_proven=found.fewest_clashes_proven,
        proven=found.proven,
        current=current_qualities(assembly, travel),
    )


def current_qualities(assembly: CalendarAssembly, travel: TravelTimes) -> Qualities | None:
    """The qualities of the timetable as chosen; None while a decision is open."""
    if any(decision.is_open for decision in decisions(assembly.visible)):
        return None
    attended = {entry_id for entry_id, _ in (*assembly.visible, *assembly.own)}
    return qualities(_times(assembly), attended, travel=travel)


def alternatives(
    assembly: CalendarAssembly, entry_id: str, settings: CalendarSettings
) -> tuple[Decision, tuple[Alternative, ...]] | None:
    """The groups that can be attended instead of that of this class; None if it is no class of this calendar."""
    named = all_groups(assembly)
    events = dict(named)
    decision = next((d for d in decisions(named) if any(entry_id in group.entries for group in d.groups)), None)
    if decision is None:
        return None
    attended = assembly.calendar.choices.groups.get(decision.module)
    now = selected(decision, attended, events)
    shown = {key for key, _ in (*assembly.visible, *assembly.own)}
    others = shown - {entry for group in decision.groups for entry in group.entries}
    times, travel = _times(assembly), travel_times(settings)
    return decision, tuple(
        Alternative(
            group=group,
            chosen=now == (group,),
            qualities=qualities(times, others | set(group.entries), travel=travel),
            groups=_stored(assembly, named, {decision.key: group}),
        )
        for group in decision.groups
    )


def travel_times(settings: CalendarSettings) -> TravelTimes:
    """The travel times from the settings."""
    return TravelTimes.parse(settings.travel_minutes, otherwise=settings.travel_minutes_otherwise)


def _times(assembly: CalendarAssembly) -> dict[str, Held]:
    return {
        entry_id: held(event, found)
        for entry_id, event in (*assembly.named, *assembly.own)
        if (found := assembly.occurrences[entry_id])
    }


def _stored(
    assembly: CalendarAssembly, named: list[tuple[str, Event]], chosen: Mapping[tuple[str, str, str], Group]
) -> Groups:
    """The choices of all modules after this one. Decisions that are not named stay as they are."""
    events, before = dict(named), assembly.calendar.choices.groups
    modules = {module for module, _, _ in chosen}
    taken: list[tuple[Decision, Group]] = []
    for decision in decisions(named):
        if decision.module in modules:
            group = chosen.get(decision.key)
            groups = (group,) if group else selected(decision, before.get(decision.module), events)
            taken += [(decision, group) for group in groups]
    return before | attending(taken, named)
