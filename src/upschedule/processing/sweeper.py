"""Recovers lost jobs: runs whose lease expired, and due jobs whose message was lost (R2.3)."""

import random
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import structlog
from psycopg.rows import DictRow

from upschedule.metrics import DEAD_LETTERS, JOBS_SWEPT
from upschedule.processing.doorbell import Doorbell
from upschedule.processing.errors import ReadingTimedOut, Stalled
from upschedule.processing.job import Job
from upschedule.processing.repository import job_from_row
from upschedule.processing.retry_policy import GiveUp, RetryPolicy, after_failure
from upschedule.processing.runs import RunRepository
from upschedule.processing.status_events import StatusBroadcaster
from upschedule.settings import JobSettings
from upschedule.stores.database import Connection, Database

_log = structlog.get_logger(__name__)

_EXPIRED = """
    SELECT *, now() - started_at AS ran FROM jobs
    WHERE status = 'processing' AND lease_until < now()
    ORDER BY lease_until LIMIT %(rows_max)s
    FOR UPDATE SKIP LOCKED
"""
_RING_AGAIN = """
    UPDATE jobs SET rung_at = now() WHERE id = ANY (ARRAY (
        SELECT id FROM jobs
        WHERE status = 'queued' AND run_after <= now()
          AND (rung_at IS NULL OR rung_at < now() - %(ring_again_seconds)s * interval '1 second')
        ORDER BY run_after, id LIMIT %(rows_max)s
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING id
"""


class Sweeper:
    """The leading scheduler sweeps. Two sweepers at once are safe: each locks its rows and skips locked ones."""

    def __init__(
        self,
        *,
        database: Database,
        broadcaster: StatusBroadcaster,
        doorbell: Doorbell,
        settings: JobSettings,
        retries: RetryPolicy,
        reader_version: str,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._broadcaster = broadcaster
        self._doorbell = doorbell
        self._settings = settings
        self._retries = retries
        self._reader_version = reader_version
        self._roll = roll

    async def sweep(self) -> None:
        """Raises StoreError before anything was committed."""
        async with self._database.transaction() as connection:
            moved = await self._settle_expired(connection)
            due = await self._due(connection)
        for job in moved:
            await self._broadcaster.changed(job)
        for job_id in due:
            if not await self._doorbell.ring(job_id):
                # Redis is unavailable. The jobs that are left are announced again soon.
                break
            JOBS_SWEPT.labels(reason="rung-again").inc()

    async def _settle_expired(self, connection: Connection) -> list[Job]:
        cursor = await connection.execute(_EXPIRED, {"rows_max": self._settings.sweep_rows_max})
        settled = [await self._settle(RunRepository(connection), row) for row in await cursor.fetchall()]
        return [job for job in settled if job]

    async def _settle(self, runs: RunRepository, row: DictRow) -> Job | None:
        job, ran = job_from_row(row), row["ran"]
        over = ran > timedelta(seconds=self._settings.attempt_seconds_max)
        error = ReadingTimedOut() if over else Stalled()
        decision = after_failure(job, error, self._retries, self._roll())
        _log.warning("lease_expired", job_id=str(job.id), run=job.run, attempt=job.attempt, request_id=job.request_id)
        if isinstance(decision, GiveUp):
            JOBS_SWEPT.labels(reason="given-up").inc()
            trace = f"{type(error).__name__}: run {job.run} fell silent after {ran}"
            failed = await runs.fail(job, decision.error, traceback=trace, reader_version=self._reader_version)
            if failed:
                DEAD_LETTERS.labels(cause=decision.error.code).inc()
            return failed
        JOBS_SWEPT.labels(reason="queued-again").inc()
        return await runs.retry_later(job, delay_seconds=decision.delay_seconds)

    async def _due(self, connection: Connection) -> list[UUID]:
        values = {"rows_max": self._settings.sweep_rows_max, "ring_again_seconds": self._settings.ring_again_seconds}
        cursor = await connection.execute(_RING_AGAIN, values)
        return [row["id"] for row in await cursor.fetchall()]
