"""Length, age and throughput of the queue for Prometheus; alerts and the autoscaler of workers use them."""

import structlog
from psycopg.rows import DictRow

from upschedule.metrics import QUEUE_AGE_SECONDS, QUEUE_DEPTH, QUEUE_FINISHED_PER_MINUTE, QUEUE_PAUSED
from upschedule.processing.queue import finishing_rate
from upschedule.settings import JobSettings
from upschedule.stores.database import Connection, Database
from upschedule.stores.readiness import failure_of

_log = structlog.get_logger(__name__)

# People wait for no document that the service itself reads again, so these are neither due nor delayed: workers that
# are added for them would help no person. Jobs of exempt accounts are not counted at all.
_COUNTED = """
    SELECT count(*) FILTER (WHERE waits AND run_after <= now()) AS due,
           count(*) FILTER (WHERE waits AND run_after > now()) AS delayed,
           count(*) FILTER (WHERE status = 'queued' AND NOT waits) AS "read-again",
           count(*) FILTER (WHERE status = 'processing') AS processing,
           coalesce(extract(epoch FROM now() - min(run_after) FILTER (WHERE waits)), 0)::float8 AS age,
           (SELECT count(*) FROM queue_pauses WHERE paused_at IS NOT NULL) AS paused
    FROM jobs, LATERAL (SELECT status = 'queued' AND provisional_release IS NULL AS waits) AS person
    WHERE status IN ('queued', 'processing') AND account_id NOT IN (SELECT account_id FROM exempt_accounts)
"""
_STATES = ("due", "delayed", "read-again", "processing")
_GAUGES = (QUEUE_DEPTH, QUEUE_AGE_SECONDS, QUEUE_FINISHED_PER_MINUTE, QUEUE_PAUSED)


class QueueMetrics:
    """Any number of processes may measure the queue."""

    def __init__(self, database: Database, settings: JobSettings) -> None:
        self._database = database
        self._settings = settings

    async def measure(self) -> None:
        """Clears the gauges while PostgreSQL does not answer: an old number would be misleading."""
        if reason := await failure_of(self._count):
            _log.warning("queue_not_measured", reason=reason)
            for gauge in _GAUGES:
                gauge.clear()

    async def _count(self) -> None:
        async with self._database.transaction() as connection:
            row = await count_queue(connection)
            rate = await finishing_rate(connection, self._settings)
        for state in _STATES:
            QUEUE_DEPTH.labels(state=state).set(row[state])
        QUEUE_AGE_SECONDS.labels(state="due").set(max(0.0, row["age"]))
        QUEUE_FINISHED_PER_MINUTE.labels(window=f"{self._settings.rate_window_seconds:g}s").set(rate)
        QUEUE_PAUSED.labels(queue="jobs").set(row["paused"])


async def count_queue(connection: Connection) -> DictRow:
    """Jobs by state, as in `_STATES`; `age` of the oldest due one in seconds; whether the queue is `paused`, 0 or 1."""
    row = await (await connection.execute(_COUNTED)).fetchone()
    return row or {}
