"""Marks readings as provisional until their release is confirmed, and repeats them if it is abandoned before.

A worker renews the row of its release in `worker_releases` while it runs. A release is confirmed once its schedulers
have been the leader for `provisional_seconds`. An unconfirmed release whose row is no longer renewed is regarded as
abandoned: it was reverted, stopped by hand, or all its workers died. If that is a mistake, documents are read twice,
but no result is lost. The decision depends on rows in PostgreSQL only, and not on the command that ended the release
(docs/decisions/0020).
"""

import structlog
from psycopg.types.json import Jsonb

from upschedule.metrics import PROVISIONAL_READINGS
from upschedule.processing.doorbell import Doorbell
from upschedule.processing.job import Job
from upschedule.processing.repository import job_from_row
from upschedule.processing.status_events import StatusBroadcaster
from upschedule.settings import RolloutSettings
from upschedule.stores.database import Connection, Database

_log = structlog.get_logger(__name__)

# A row with `confirmed_at` and without `live_since` is that of a confirmed release that was abandoned later
# (`_NOTE_ABANDONED`). If it is deployed again, it has to be confirmed again.
# All workers of a release renew the same row: nothing is written if another one has just done it.
_RENEW = """
    INSERT INTO worker_releases (release, renewed_at) VALUES (%(release)s, now())
    ON CONFLICT (release) DO UPDATE
    SET renewed_at = now(),
        confirmed_at = CASE WHEN worker_releases.live_since IS NOT NULL THEN worker_releases.confirmed_at END
    WHERE worker_releases.renewed_at < now() - %(renew_seconds)s / 2.0 * interval '1 second'
"""
# The leader records since when its release has led, and confirms the release after `provisional_seconds`.
_LEAD = """
    INSERT INTO worker_releases AS mine (release, renewed_at, live_since) VALUES (%(release)s, now(), now())
    ON CONFLICT (release) DO UPDATE
    SET renewed_at = now(), live_since = coalesce(mine.live_since, now()),
        confirmed_at = CASE WHEN mine.live_since IS NOT NULL THEN coalesce(mine.confirmed_at, CASE
            WHEN mine.live_since <= now() - %(provisional_seconds)s * interval '1 second' THEN now()
        END) END
"""
# Readings of confirmed releases are no longer provisional, also if such a release has been abandoned meanwhile.
_CONFIRM = """
    UPDATE jobs SET provisional_release = NULL WHERE id = ANY (ARRAY (
        SELECT id FROM jobs
        WHERE provisional_release IS NOT NULL AND status IN ('completed', 'failed')
          AND provisional_release IN (SELECT release FROM worker_releases WHERE confirmed_at IS NOT NULL)
        LIMIT %(rows_max)s
        FOR UPDATE SKIP LOCKED
    ))
"""
# The worker of a release without a row may be about to insert it: the end of the reading then replaces `renewed_at`.
_ABANDONED = """
    SELECT jobs.id FROM jobs LEFT JOIN worker_releases AS reader ON reader.release = provisional_release
    WHERE provisional_release IS NOT NULL AND provisional_release IS DISTINCT FROM %(release)s
      AND status IN ('completed', 'failed') AND (object_key IS NULL) = %(without_file)s AND reader.confirmed_at IS NULL
      AND coalesce(reader.renewed_at, finished_at) < now() - %(silent_seconds)s * interval '1 second'
    ORDER BY finished_at LIMIT %(rows_max)s
    FOR UPDATE OF jobs SKIP LOCKED
"""
_READ_AGAIN = """
    UPDATE jobs
    SET status = 'queued', attempt = 0, pages_read = 0, error = NULL, finished_at = NULL, run_after = now(),
        rung_at = now(), version = version + 1
    WHERE id = ANY (%(job_ids)s)
    RETURNING *
"""
_READING_AGAIN = """
    SELECT count(*) AS jobs FROM jobs WHERE provisional_release IS NOT NULL AND status IN ('queued', 'processing')
"""
# `reader_version` is removed so that the same file is read, not recognised as known, when the student uploads it again.
_KEEP = """
    UPDATE jobs
    SET provisional_release = NULL, reader_version = NULL, version = version + 1,
        warnings = CASE WHEN status = 'completed' THEN warnings || %(warnings)s ELSE warnings END
    WHERE id = ANY (%(job_ids)s)
    RETURNING *
"""
# `_FORGET` and `_NOTE_ABANDONED` skip rows that another transaction has locked. Otherwise two schedulers of different
# releases could wait for each other: for a moment both may act as the leader, lock the row of their own release and
# regard the other one's release as abandoned.
_FORGET = """
    DELETE FROM worker_releases WHERE release IN (
        SELECT release FROM worker_releases AS reader
        WHERE release IS DISTINCT FROM %(release)s AND renewed_at < now() - %(silent_seconds)s * interval '1 second'
          AND NOT EXISTS (
              SELECT FROM jobs WHERE provisional_release = reader.release AND status IN ('completed', 'failed')
          )
        FOR UPDATE SKIP LOCKED
    )
"""
# A row that `_FORGET` cannot delete yet: if its release is deployed again, it has to be confirmed again.
_NOTE_ABANDONED = """
    UPDATE worker_releases SET live_since = NULL WHERE release IN (
        SELECT release FROM worker_releases
        WHERE release IS DISTINCT FROM %(release)s AND renewed_at < now() - %(silent_seconds)s * interval '1 second'
          AND live_since IS NOT NULL
        FOR UPDATE SKIP LOCKED
    )
"""
_WARNING = {
    "page": 1,
    "message": (
        "This schedule was read by a version of the service that was withdrawn, and its file is no longer stored. "
        "Upload the file again to have it read again."
    ),
}


class WorkerRelease:
    """Records that a worker of this release runs, in `worker_releases`."""

    def __init__(self, database: Database, settings: RolloutSettings) -> None:
        self._database = database
        self._settings = settings

    async def renew(self) -> None:
        """Renews the row of the release. Raises StoreError."""
        if self._settings.release is None:
            return
        async with self._database.transaction() as connection:
            values = {"release": self._settings.release, "renew_seconds": self._settings.renew_seconds}
            await connection.execute(_RENEW, values)


class ProvisionalReadings:
    """Confirms or repeats provisional readings. The leader calls it; two schedulers at once do no harm."""

    def __init__(
        self,
        *,
        database: Database,
        broadcaster: StatusBroadcaster,
        doorbell: Doorbell,
        settings: RolloutSettings,
        rows_max: int,
    ) -> None:
        """`rows_max` limits the rows of one call, and `settings.read_again_max` those that are queued again."""
        self._database = database
        self._broadcaster = broadcaster
        self._doorbell = doorbell
        self._settings = settings
        self._values = {
            "release": settings.release,
            "silent_seconds": settings.silent_seconds,
            "provisional_seconds": settings.provisional_seconds,
            "rows_max": rows_max,
        }

    async def settle(self) -> None:
        """Confirms readings, keeps those without a file, and queues the others again, up to the limits.

        Nothing is committed if it raises StoreError.
        """
        async with self._database.transaction() as connection:
            confirmed = await self._confirm(connection)
            kept = await self._keep_without_file(connection)
            queued = await self._queue_again(connection)
            await connection.execute(_FORGET, self._values)
            await connection.execute(_NOTE_ABANDONED, self._values)
        PROVISIONAL_READINGS.labels(outcome="confirmed").inc(confirmed)
        for job in kept:
            PROVISIONAL_READINGS.labels(outcome="file-gone").inc()
            await self._broadcaster.changed(job)
        for job in queued:
            PROVISIONAL_READINGS.labels(outcome="read-again").inc()
            await self._broadcaster.changed(job)
        for job in queued:
            if not await self._doorbell.ring(job.id):
                # Redis is unavailable. The sweeper will send the other wake-up messages.
                break

    async def _confirm(self, connection: Connection) -> int:
        if self._settings.release is not None:
            await connection.execute(_LEAD, self._values)
        return (await connection.execute(_CONFIRM, self._values)).rowcount

    async def _keep_without_file(self, connection: Connection) -> list[Job]:
        abandoned = await (await connection.execute(_ABANDONED, self._values | {"without_file": True})).fetchall()
        if not abandoned:
            return []
        values = {"job_ids": [row["id"] for row in abandoned], "warnings": Jsonb([_WARNING])}
        kept = [job_from_row(row) for row in await (await connection.execute(_KEEP, values)).fetchall()]
        _log.warning("provisional_readings_kept", jobs=len(kept), reason="their files are no longer stored")
        return kept

    async def _queue_again(self, connection: Connection) -> list[Job]:
        row = await (await connection.execute(_READING_AGAIN)).fetchone()
        capacity = self._settings.read_again_max - (row["jobs"] if row else 0)
        if capacity <= 0:
            return []
        values = self._values | {"without_file": False, "rows_max": capacity}
        abandoned = await (await connection.execute(_ABANDONED, values)).fetchall()
        if not abandoned:
            return []
        cursor = await connection.execute(_READ_AGAIN, {"job_ids": [row["id"] for row in abandoned]})
        queued = [job_from_row(row) for row in await cursor.fetchall()]
        releases = sorted({job.provisional_release or "" for job in queued})
        _log.warning("provisional_readings_read_again", jobs=len(queued), releases=releases)
        return queued
