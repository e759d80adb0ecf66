"""Proposes complete combinations of groups: those without a clash first, then by weeks with a clash, then by wishes."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from upschedule.planning.costs import Costs
from upschedule.planning.counting import count
from upschedule.planning.groups import Decision, Group, decisions, selected
from upschedule.planning.held import Held, held
from upschedule.planning.qualities import Qualities, clashes_between, qualities
from upschedule.planning.search import Assignment, Limits, Problem, search
from upschedule.planning.wishes import CLASH_WEEK, TravelTimes, Wishes
from upschedule.timetable.event import Event, Lecture
from upschedule.timetable.occurrences import Occurrence


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A group for a decision. `equal`: others at the same times, which could be taken as well."""

    decision: Decision
    group: Group
    equal: tuple[Group, ...] = ()


class Combination(msgspec.Struct, frozen=True, kw_only=True):
    """A group for each decision in which several are printed, and the timetable that follows."""

    chosen: tuple[Chosen, ...]
    qualities: Qualities


class Proposals(msgspec.Struct, frozen=True, kw_only=True):
    """The best combinations, best first, of `combinations` that there are.

    `clash_free`: how many have no clash; None: too many to count. `fewest_clashes_proven`: none has fewer weeks with a
    clash than the first. `proven`: none is better than these in its wishes either.
    """

    best: tuple[Combination, ...]
    combinations: int
    clash_free: int | None
    fewest_clashes_proven: bool
    proven: bool


def propose(
    named: Iterable[tuple[str, Event]],
    occurrences: Mapping[str, Sequence[Occurrence]],
    *,
    wishes: Wishes,
    travel: TravelTimes,
    wanted: int,
    limits: Limits,
    clock: Callable[[], float],
    own: Mapping[str, Held] = {},
) -> Proposals:
    """`named`: all entries of modules that are attended, with all their groups. `clock` gives seconds.

    `own`: what the student attends besides.
    """
    events = dict(named)
    printed = decisions(events.items())
    considered = [_narrowed(decision, wishes, events) for decision in printed]
    # By the wishes only one group is left of these.
    settled = [
        Chosen(decision=narrowed, group=narrowed.groups[0])
        for narrowed, decision in zip(considered, printed, strict=True)
        if decision.is_open and not narrowed.is_open
    ]
    kept = {entry for decision in considered for group in decision.groups for entry in group.entries}
    times = {
        key: held(event, occurrences[key])
        for key, event in events.items()
        if occurrences[key] and (key in kept or not isinstance(event, Lecture))
    } | dict(own)
    costs = Costs(times, considered, wishes, travel)
    problem = costs.problem()
    found = search(problem, wanted=wanted, limits=limits, clock=clock)
    undecided = {entry for decision in costs.decisions for group in decision.groups for entry in group.entries}
    always = times.keys() - undecided
    best: list[Combination] = []
    for _, assignment in found.best:
        chosen = _chosen(costs, assignment)
        entries = always | {entry for item in chosen for entry in item.group.entries}
        chosen = tuple(sorted((*chosen, *settled), key=lambda item: item.decision.key))
        best.append(Combination(chosen=chosen, qualities=qualities(times, entries, travel=travel)))
    clashing = clashes_between(times, always)
    return Proposals(
        best=tuple(best),
        combinations=math.prod(len(decision.groups) for decision in costs.decisions),
        clash_free=0 if clashing else _clash_free(costs, problem, steps_max=limits.count_steps_max),
        fewest_clashes_proven=found.best[0][0] // CLASH_WEEK == found.at_least // CLASH_WEEK,
        proven=found.proven,
    )


def _narrowed(decision: Decision, wishes: Wishes, events: Mapping[str, Event]) -> Decision:
    """Keeps only the groups that are settled or of the wished language, if the decision has such groups."""
    settled = selected(decision, wishes.groups.get(decision.module, ()), events) or decision.groups
    language = wishes.languages.get(decision.module)
    of_language = tuple(group for group in settled if group.language == language)
    return msgspec.structs.replace(decision, groups=of_language or settled)


def _chosen(costs: Costs, assignment: Assignment) -> tuple[Chosen, ...]:
    picked = zip(costs.decisions, costs.values, assignment, strict=True)
    return tuple(
        Chosen(decision=decision, group=values[value][0], equal=values[value][1:]) for decision, values, value in picked
    )


def _clash_free(costs: Costs, problem: Problem, *, steps_max: int) -> int | None:
    return count(
        [[cost >= CLASH_WEEK for cost in row] for row in problem.single],
        {pair: [[cost >= CLASH_WEEK for cost in row] for row in rows] for pair, rows in problem.pairs.items()},
        [[len(groups) for groups in values] for values in costs.values],
        steps_max=steps_max,
    )
