"""Who stands where in the queue and how fast it moves: two small queries a second and process, however many watch."""

import asyncio
import time
from collections.abc import Callable, Mapping
from uuid import UUID

import msgspec

from upschedule.processing.capacity import Capacity, estimate, measured_rate
from upschedule.stores.database import Connection, Database

_FRESH_SECONDS = 1.0
# Retries and jobs given back come on top of the bound for uploads; beyond this a position means nothing to anybody.
_ROWS_MAX = 5_000
_RUNS_MAX = 1_000

_QUEUED = "SELECT id FROM jobs WHERE status = 'queued' ORDER BY run_after, id LIMIT %(rows_max)s"
_FINISHED = """
    SELECT started_at, finished_at FROM jobs
    WHERE finished_at > now() - %(window_seconds)s * interval '1 second'
    ORDER BY finished_at DESC LIMIT %(runs_max)s
"""


class RateOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The rate is measured over `window_seconds`; `assumed_per_minute` holds while nothing has finished in it."""

    window_seconds: float
    assumed_per_minute: float


class _Snapshot(msgspec.Struct, frozen=True):
    taken_at: float
    positions: Mapping[UUID, int]
    rate_per_minute: float


class Queue:
    """Positions count from 1, in the order in which jobs are due. What it says is at most a second old."""

    def __init__(
        self,
        database: Database,
        *,
        pending_max: Callable[[], int],
        rate: RateOptions,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._pending_max = pending_max
        self._rate = rate
        self._monotonic = monotonic
        self._snapshot = _Snapshot(float("-inf"), {}, rate.assumed_per_minute)
        self._taking = asyncio.Lock()

    async def position(self, job_id: UUID) -> int | None:
        """None once it is no longer queued."""
        asked_at = self._monotonic()
        snapshot = await self._newer_than(asked_at - _FRESH_SECONDS)
        if job_id not in snapshot.positions:
            # Queued after the snapshot was taken, or claimed meanwhile: only a new one can tell.
            snapshot = await self._newer_than(asked_at)
        return snapshot.positions.get(job_id)

    async def capacity(self) -> Capacity:
        snapshot = await self._newer_than(self._monotonic() - _FRESH_SECONDS)
        queued, rate = len(snapshot.positions), snapshot.rate_per_minute
        return estimate(queued=queued, limit=self._pending_max(), rate_per_minute=rate)

    async def _newer_than(self, moment: float) -> _Snapshot:
        """Those who wait for the lock share what the first of them brings."""
        async with self._taking:
            if self._snapshot.taken_at < moment:
                self._snapshot = await self._take()
            return self._snapshot

    async def _take(self) -> _Snapshot:
        taken_at = self._monotonic()
        async with self._database.transaction() as connection:
            cursor = await connection.execute(_QUEUED, {"rows_max": _ROWS_MAX})
            queued = await cursor.fetchall()
            rate = await finishing_rate(connection, self._rate)
        return _Snapshot(taken_at, {row["id"]: place for place, row in enumerate(queued, start=1)}, rate)


async def finishing_rate(connection: Connection, options: RateOptions) -> float:
    """Runs a minute."""
    window = {"window_seconds": options.window_seconds, "runs_max": _RUNS_MAX}
    finished = await (await connection.execute(_FINISHED, window)).fetchall()
    return measured_rate(
        ((row["started_at"], row["finished_at"]) for row in finished),
        assumed_rate_per_minute=options.assumed_per_minute,
    )
