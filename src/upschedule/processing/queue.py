"""Queue positions and throughput, from a snapshot that a process refreshes at most once a second (three queries)."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import msgspec
from psycopg.rows import DictRow

from upschedule.processing.capacity import Capacity, Rates, estimate, measured_rate
from upschedule.processing.order import Costs, Waiting, ahead_of, positions
from upschedule.processing.shares import ShareOptions, ShareRepository
from upschedule.settings import JobSettings
from upschedule.stores.database import Connection, Database

_FRESH_SECONDS = 1.0
# Retries and returned jobs come on top of the bound for uploads; a position beyond this is of no use.
_ROWS_MAX = 5_000
_RUNS_MAX = 1_000
_NOBODY = UUID(int=0)

_QUEUED = """
    SELECT id, account_id, address_hash, slow, established,
           run_after <= now() AND (
               provisional_release IS NULL OR run_after <= now() - %(yield_seconds)s * interval '1 second') AS due,
           account_id IN (SELECT account_id FROM exempt_accounts) AS exempt,
           share_used(address.used_seconds, address.used_at, %(half_life_seconds)s) AS address_used,
           share_used(visitor.used_seconds, visitor.used_at, %(half_life_seconds)s) AS visitor_used
    FROM jobs
    LEFT JOIN address_shares AS address USING (address_hash)
    LEFT JOIN visitor_shares AS visitor USING (account_id)
    WHERE status = 'queued' ORDER BY run_after, id LIMIT %(rows_max)s
"""
# The documents of exempt accounts are always the same, so their rate says nothing of those of visitors.
_FINISHED = """
    SELECT started_at, finished_at, slow FROM jobs
    WHERE finished_at > now() - %(window_seconds)s * interval '1 second'
      -- A job that an operator cancelled while it waited has ended without a run.
      AND started_at IS NOT NULL
      AND account_id NOT IN (SELECT account_id FROM exempt_accounts)
    ORDER BY finished_at DESC LIMIT %(runs_max)s
"""
_DEMOTED = """
    SELECT demoted_from, demoted_at FROM jobs
    WHERE demoted_at > now() - %(window_seconds)s * interval '1 second'
      AND account_id NOT IN (SELECT account_id FROM exempt_accounts)
    ORDER BY demoted_at DESC LIMIT %(runs_max)s
"""


class _Snapshot(msgspec.Struct, frozen=True):
    taken_at: float
    waiting: Sequence[Waiting]
    positions: Mapping[UUID, int]
    costs: Costs
    rates: Rates


class Queue:
    """Positions count from 1, in the order in which jobs will run. Answers are at most a second old."""

    def __init__(
        self,
        database: Database,
        *,
        settings: JobSettings,
        shares: ShareOptions,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._settings = settings
        self._shares = shares
        self._monotonic = monotonic
        rate = settings.assumed_rate_per_minute
        assumed = Rates(quick=rate, ended=rate)
        self._snapshot = _Snapshot(float("-inf"), (), {}, _costs(shares, [], []), assumed)
        self._taking = asyncio.Lock()

    async def position(self, job_id: UUID) -> int | None:
        """None once the job is no longer queued, or if it is behind the last row of a snapshot."""
        asked_at = self._monotonic()
        snapshot = await self._newer_than(asked_at - _FRESH_SECONDS)
        if job_id not in snapshot.positions and len(snapshot.waiting) < _ROWS_MAX:
            # Queued after the snapshot, or claimed since: only a new snapshot can tell.
            snapshot = await self._newer_than(asked_at)
        return snapshot.positions.get(job_id)

    async def positions(self) -> Mapping[UUID, int]:
        """The positions of all queued jobs, from a snapshot that is at most a second old."""
        return (await self._newer_than(self._monotonic() - _FRESH_SECONDS)).positions

    async def capacity(self, address_hash: bytes | None = None, *, pending_max: int) -> Capacity:
        """The capacity for a new visitor from that address, without the jobs of exempt accounts."""
        snapshot = await self._newer_than(self._monotonic() - _FRESH_SECONDS)
        counted = [job for job in snapshot.waiting if not job.exempt]
        return estimate(
            queued=len(counted),
            slow=sum(job.slow for job in counted),
            ahead=await self._ahead(counted, snapshot.costs, address_hash) if counted else 0,
            limit=pending_max,
            rates=snapshot.rates,
        )

    async def _ahead(self, waiting: Sequence[Waiting], costs: Costs, address_hash: bytes | None) -> int:
        newcomer = Waiting(
            id=_NOBODY,
            account_id=_NOBODY,
            address_hash=address_hash,
            slow=False,
            established=False,
            due=True,
            address_used=await self._used(waiting, address_hash) if address_hash else 0.0,
            visitor_used=0.0,
        )
        return ahead_of(newcomer, waiting, costs)

    async def _used(self, waiting: Sequence[Waiting], address_hash: bytes) -> float:
        known = next((job.address_used for job in waiting if job.address_hash == address_hash), None)
        if known is not None:
            return known
        async with self._database.transaction() as connection:
            return await ShareRepository(connection, self._shares).used_by_address(address_hash)

    async def _newer_than(self, moment: float) -> _Snapshot:
        """Tasks that wait for the lock share the snapshot of the first of them."""
        async with self._taking:
            if self._snapshot.taken_at < moment:
                self._snapshot = await self._take()
            return self._snapshot

    async def _take(self) -> _Snapshot:
        taken_at, settings = self._monotonic(), self._settings
        values = msgspec.structs.asdict(self._shares) | {"rows_max": _ROWS_MAX}
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(_QUEUED, values)).fetchall()
            finished, demoted = await _finished(connection, settings), await _demoted(connection, settings)
        waiting = msgspec.convert(rows, tuple[Waiting, ...])
        costs = _costs(self._shares, finished, demoted)
        rates = _rates(finished, demoted, settings, 60 / costs.slow_bound if any(job.slow for job in waiting) else None)
        return _Snapshot(taken_at, waiting, positions(waiting, costs), costs, rates)


async def finishing_rate(connection: Connection, settings: JobSettings) -> float:
    """Finished runs per minute."""
    return measured_rate(
        ((row["started_at"], row["finished_at"]) for row in await _finished(connection, settings)),
        assumed_rate_per_minute=settings.assumed_rate_per_minute,
    )


async def _finished(connection: Connection, settings: JobSettings) -> list[DictRow]:
    window = {"window_seconds": settings.rate_window_seconds, "runs_max": _RUNS_MAX}
    return await (await connection.execute(_FINISHED, window)).fetchall()


async def _demoted(connection: Connection, settings: JobSettings) -> list[DictRow]:
    window = {"window_seconds": settings.rate_window_seconds, "runs_max": _RUNS_MAX}
    return await (await connection.execute(_DEMOTED, window)).fetchall()


def _rates(
    finished: Sequence[DictRow], demoted: Sequence[DictRow], settings: JobSettings, slow_rate: float | None
) -> Rates:
    """Counts short readings that ended without a result, too: they occupied a worker as well.

    `slow_rate` is assumed if slow jobs wait and none has ended.
    """
    quick = [(row["started_at"], row["finished_at"]) for row in finished if not row["slow"]]
    quick += [(row["demoted_from"], row["demoted_at"]) for row in demoted]
    ended = ((row["started_at"], row["finished_at"]) for row in finished)
    return Rates(
        quick=measured_rate(quick, assumed_rate_per_minute=settings.assumed_rate_per_minute),
        ended=measured_rate(ended, assumed_rate_per_minute=slow_rate or settings.assumed_rate_per_minute),
    )


def _costs(shares: ShareOptions, finished: Sequence[DictRow], demoted: Sequence[DictRow]) -> Costs:
    """The expected use of a reading is the recent mean, or its bound if none has ended."""
    took = [(row["slow"], (row["finished_at"] - row["started_at"]).total_seconds()) for row in finished]
    took += [(False, (row["demoted_at"] - row["demoted_from"]).total_seconds()) for row in demoted]
    return Costs(
        quick_bound=shares.quick_seconds,
        slow_bound=shares.slow_seconds,
        quick_expected=_mean([seconds for slow, seconds in took if not slow], shares.quick_seconds),
        slow_expected=_mean([seconds for slow, seconds in took if slow], shares.slow_seconds),
    )


def _mean(seconds: Sequence[float], bound: float) -> float:
    """Wall time bounds processor time from above, and so does `bound`."""
    return min(bound, sum(seconds) / len(seconds)) if seconds else bound
