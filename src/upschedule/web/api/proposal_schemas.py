"""Combinations of groups as the API proposes them."""

import datetime as dt
from typing import Any

import msgspec

from upschedule.calendars.proposals import GroupProposal, GroupProposals
from upschedule.planning.qualities import Qualities
from upschedule.planning.wishes import Wishes
from upschedule.timetable.clash import Clash
from upschedule.timetable.event import Day


class RequestedProposals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `wishes`, those of the calendar's `planning`."""

    wishes: Wishes | None = None


class ChosenGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group of a kind of class: the letter of its activities, such as `P`. `equal`: groups at the same times."""

    module: str
    kind: str
    group: str
    language: str
    equal: tuple[str, ...]
    events: tuple[str, ...]


class TimetableView(msgspec.Struct, frozen=True, kw_only=True):
    """What a timetable is like. `clash_weeks` counts a week once for each two entries that clash in it.

    `weeks_with_clash` are Mondays; `campus_days` are days with classes on several campuses; `short_travels` counts
    pairs of classes between which there is not enough time for the way.
    """

    clashes: tuple[Clash, ...]
    clash_weeks: int
    weeks_with_clash: tuple[dt.date, ...]
    free_days: tuple[Day, ...]
    first_start: str
    gap_minutes_per_week: int
    campus_days: int
    short_travels: int


class ProposalView(TimetableView, frozen=True, kw_only=True):
    """A combination. To take it, make `groups` those of the calendar's `choices`."""

    groups: dict[str, tuple[str, ...]]
    chosen: tuple[ChosenGroup, ...]


class ProposalsView(msgspec.Struct, frozen=True, kw_only=True):
    """The best of `combinations`, best first. `clash_free`: how many have no clash; null: too many to count.

    `fewest_clashes_proven`: no combination has fewer `clash_weeks` than the first. `proven`: these are the best by the
    wishes as well. `current`: the timetable as chosen now, null while a kind of class has several groups.
    """

    combinations: int
    clash_free: int | None
    fewest_clashes_proven: bool
    proven: bool
    current: TimetableView | None
    proposals: tuple[ProposalView, ...]


def proposals_view(found: GroupProposals) -> ProposalsView:
    """For an owner."""
    return ProposalsView(
        combinations=found.combinations,
        clash_free=found.clash_free,
        fewest_clashes_proven=found.fewest_clashes_proven,
        proven=found.proven,
        current=TimetableView(**_fields(found.current)) if found.current else None,
        proposals=tuple(map(_proposal, found.best)),
    )


def _proposal(found: GroupProposal) -> ProposalView:
    chosen = tuple(
        ChosenGroup(
            module=item.decision.module,
            kind=item.decision.kind,
            group=item.group.name,
            language=item.group.language,
            equal=tuple(group.name for group in item.equal),
            events=item.group.entries,
        )
        for item in found.chosen
    )
    return ProposalView(**_fields(found.qualities), groups=dict(found.groups), chosen=chosen)


def _fields(found: Qualities) -> dict[str, Any]:
    return msgspec.structs.asdict(found)
