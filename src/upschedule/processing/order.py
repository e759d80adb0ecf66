"""Predicts the order in which waiting jobs will run, by the rules of the claim in `shares.py`. Pure functions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A queued job, with the processor time that its address and its owner have used.

    An `exempt` job, of an account without limits, is read in its turn like any other, but the figures of capacity leave
    it out.
    """

    id: UUID
    account_id: UUID
    address_hash: bytes | None
    slow: bool
    established: bool
    due: bool
    address_used: float
    visitor_used: float
    exempt: bool = False


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Processor time of a reading: the bounds that the claim decides by, and the expected use."""

    quick_bound: float
    slow_bound: float
    quick_expected: float
    slow_expected: float


class _Turn(NamedTuple):
    """Sort key of the claim: used time of the address, then of the visitor, then the time when the job is due."""

    later: bool
    of_address: float
    of_visitor: float
    place: int
    job: Waiting


def positions(waiting: Sequence[Waiting], costs: Costs) -> Mapping[UUID, int]:
    """Positions, from 1, of jobs in the order of their due times.

    Each job counts against its address and its owner when the next one is chosen. A short document does not wait for
    the slow ones before it, because they do not take all places.
    """
    found: dict[UUID, int] = {}
    quick = 0
    for position, turn in enumerate(sorted(_turns(waiting, costs), key=lambda turn: turn[:4]), start=1):
        quick += not turn.job.slow
        found[turn.job.id] = position if turn.job.slow else quick
    return found


def ahead_of(newcomer: Waiting, waiting: Sequence[Waiting], costs: Costs) -> int:
    """How many short documents are read before a job that is queued now."""
    return positions([*waiting, newcomer], costs)[newcomer.id] - 1


def _turns(waiting: Sequence[Waiting], costs: Costs) -> Iterable[_Turn]:
    of_address: defaultdict[bytes, list[_Turn]] = defaultdict(list)
    earlier: defaultdict[UUID, float] = defaultdict(float)
    for place, job in enumerate(waiting):
        bound, expected = _costs_of(job, costs)
        of_visitor = job.visitor_used + earlier[job.account_id] + (0 if job.established else costs.quick_bound)
        earlier[job.account_id] += expected
        turn = _Turn(not job.due, job.address_used + bound, of_visitor, place, job)
        of_address[job.address_hash or job.account_id.bytes].append(turn)
    for turns in of_address.values():
        used_before = 0.0
        for turn in sorted(turns, key=lambda turn: turn[:4]):
            yield turn._replace(of_address=turn.of_address + used_before)
            used_before += _costs_of(turn.job, costs)[1]


def _costs_of(job: Waiting, costs: Costs) -> tuple[float, float]:
    return (costs.slow_bound, costs.slow_expected) if job.slow else (costs.quick_bound, costs.quick_expected)
