"""SQL for a run: one worker claims it, renews its lease and ends it once (R2.1, R2.3).

Every statement after the claim requires the number of the run. A worker that has lost the job changes nothing, and
its call returns None or False.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from upschedule.processing.job import Job, JobError
from upschedule.processing.repository import optional_job
from upschedule.stores.database import Connection
from upschedule.timetable.event import Event, Extraction

_WITHDRAWN = "This schedule was read by a version of the service that was withdrawn"
_EARLIER = "This schedule is the one that was read from this file before"
_NOT_READ_AGAIN = "{}, and reading it again failed. Upload the file again to have it read again."


class RunRepository:
    """The caller owns the transaction. All times come from the database, since workers' clocks may differ."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    _CLAIM = """
        UPDATE jobs
        SET status = 'processing', attempt = attempt + 1, run = run + 1, started_at = now(), pages_read = 0,
            lease_until = now() + %(lease_seconds)s * interval '1 second', version = version + 1,
            run_release = %(release)s
        WHERE id = %(job_id)s AND status = 'queued' AND run_after <= now()
        RETURNING *
    """

    async def claim(self, job_id: UUID, *, lease_seconds: float, release: str | None = None) -> Job | None:
        """Claims the job for a worker of that release. None if it is not due, not queued, or already claimed."""
        values = {"job_id": job_id, "lease_seconds": lease_seconds, "release": release}
        cursor = await self._connection.execute(self._CLAIM, values)
        return optional_job(await cursor.fetchone())

    _RENEW = """
        UPDATE jobs SET lease_until = now() + %(lease_seconds)s * interval '1 second'
        WHERE id = %(job_id)s AND run = %(run)s AND status = 'processing'
          AND started_at > now() - %(attempt_seconds_max)s * interval '1 second'
    """

    async def renew(self, job: Job, *, lease_seconds: float, attempt_seconds_max: float) -> bool:
        """False if the job is lost or its time is up (R1.5): stop reading."""
        values = _key(job) | {"lease_seconds": lease_seconds, "attempt_seconds_max": attempt_seconds_max}
        cursor = await self._connection.execute(self._RENEW, values)
        return cursor.rowcount == 1

    _PROGRESS = """
        UPDATE jobs SET pages_read = %(pages_read)s, pages = %(pages)s, version = version + 1
        WHERE id = %(job_id)s AND run = %(run)s AND status = 'processing'
        RETURNING *
    """

    async def progress(self, job: Job, *, pages_read: int, pages: int) -> Job | None:
        """None if the job is lost."""
        values = _key(job) | {"pages_read": pages_read, "pages": pages}
        cursor = await self._connection.execute(self._PROGRESS, values)
        return optional_job(await cursor.fetchone())

    _COMPLETE = """
        UPDATE jobs
        SET status = 'completed', lease_until = NULL, finished_at = now(), pages = %(pages)s, pages_read = %(pages)s,
            warnings = %(warnings)s, reader_version = %(reader_version)s, version = version + 1,
            provisional_release = CASE WHEN release_confirmed(run_release) THEN NULL ELSE run_release END
        WHERE id = %(job_id)s AND run = %(run)s AND status = 'processing'
        RETURNING *
    """

    async def complete(self, job: Job, extraction: Extraction, *, reader_version: str) -> Job | None:
        """Stores the result with the state and replaces that of an earlier reading. None: nothing was stored."""
        values = _key(job) | {
            "pages": extraction.pages,
            "warnings": Jsonb(msgspec.to_builtins(extraction.warnings)),
            "reader_version": reader_version,
        }
        cursor = await self._connection.execute(self._COMPLETE, values)
        completed = optional_job(await cursor.fetchone())
        if completed:
            await self._replace_events(job.id, extraction.events)
        return completed

    _CLEAR_EVENTS = "DELETE FROM events WHERE job_id = %(job_id)s"
    _INSERT_EVENTS = """
        INSERT INTO events (job_id, ordinal, body)
        SELECT %(job_id)s, ordinal, body
        FROM jsonb_array_elements(%(bodies)s) WITH ORDINALITY AS printed (body, ordinal)
    """

    async def _replace_events(self, job_id: UUID, events: Sequence[Event]) -> None:
        await self._connection.execute(self._CLEAR_EVENTS, {"job_id": job_id})
        bodies = Jsonb(msgspec.to_builtins(events))
        await self._connection.execute(self._INSERT_EVENTS, {"job_id": job_id, "bodies": bodies})

    _RETRY_LATER = """
        UPDATE jobs
        SET status = 'queued', lease_until = NULL, pages_read = 0, rung_at = NULL, version = version + 1,
            run_after = now() + %(delay_seconds)s * interval '1 second'
        WHERE id = %(job_id)s AND run = %(run)s AND status = 'processing'
        RETURNING *
    """

    async def retry_later(self, job: Job, *, delay_seconds: float) -> Job | None:
        """None if the job is lost."""
        cursor = await self._connection.execute(self._RETRY_LATER, _key(job) | {"delay_seconds": delay_seconds})
        return optional_job(await cursor.fetchone())

    _GIVE_BACK = """
        UPDATE jobs
        SET status = 'queued', lease_until = NULL, pages_read = 0, attempt = attempt - 1, run_after = now(),
            rung_at = now(), version = version + 1
        WHERE id = %(job_id)s AND run = %(run)s AND status = 'processing'
        RETURNING *
    """

    async def give_back(self, job: Job) -> Job | None:
        """Gives back the job of a worker that stops; it is due at once, no attempt is counted. None if lost."""
        cursor = await self._connection.execute(self._GIVE_BACK, _key(job))
        return optional_job(await cursor.fetchone())

    _DEMOTE = """
        UPDATE jobs
        SET status = 'queued', slow = true, demoted_at = now(), demoted_from = started_at, lease_until = NULL,
            pages_read = 0, attempt = attempt - 1, run_after = now(), rung_at = now(), version = version + 1
        WHERE id = %(job_id)s AND run = %(run)s AND status = 'processing'
        RETURNING *
    """

    async def demote(self, job: Job) -> Job | None:
        """For a document that needs more than a short reading: due at once, as a slow one.

        The attempt does not count. The job counts as announced: the caller sends the wake-up message after the commit.
        None if the job is lost.
        """
        cursor = await self._connection.execute(self._DEMOTE, _key(job))
        return optional_job(await cursor.fetchone())

    _FAIL = """
        UPDATE jobs
        SET status = 'failed', lease_until = NULL, finished_at = now(), error = %(error)s,
            reader_version = %(reader_version)s, version = version + 1,
            provisional_release = CASE WHEN release_confirmed(run_release) THEN NULL ELSE run_release END
        WHERE id = %(job_id)s AND run = %(run)s AND status = 'processing'
        RETURNING *
    """
    # Without the version of the reader, the same file sent again is read again.
    _KEEP_EARLIER = """
        UPDATE jobs
        SET status = 'completed', lease_until = NULL, finished_at = now(), pages_read = coalesce(pages, pages_read),
            reader_version = NULL, warnings = warnings || %(warnings)s, version = version + 1,
            provisional_release = CASE WHEN release_confirmed(run_release) THEN NULL ELSE run_release END
        WHERE id = %(job_id)s AND run = %(run)s AND status = 'processing'
          AND EXISTS (SELECT FROM events WHERE job_id = %(job_id)s)
        RETURNING *
    """
    _DEAD_LETTER = """
        INSERT INTO dead_letters (job_id, attempt, code, detail, traceback)
        VALUES (%(job_id)s, %(attempt)s, %(code)s, %(detail)s, %(traceback)s)
    """

    async def fail(self, job: Job, error: JobError, *, traceback: str, reader_version: str) -> Job | None:
        """Stores the failure and a dead letter (R2.5). None if the job is lost.

        A job that is read again keeps its earlier result, with a warning to its owner, unless the cause is in the file:
        then an earlier reader found entries where this one finds no schedule. So no failed job has entries.
        """
        ended = None if error.in_file else await self._keep_earlier(job)
        if ended is None:
            values = _key(job) | {"error": Jsonb(_storable_error(error)), "reader_version": reader_version}
            cursor = await self._connection.execute(self._FAIL, values)
            ended = optional_job(await cursor.fetchone())
        if ended is None:
            return None
        if error.in_file:
            await self._connection.execute(self._CLEAR_EVENTS, {"job_id": job.id})
        letter = {"job_id": job.id, "attempt": job.attempt, "code": error.code, "detail": _storable(error.detail)}
        await self._connection.execute(self._DEAD_LETTER, letter | {"traceback": _storable(traceback)})
        return ended

    async def _keep_earlier(self, job: Job) -> Job | None:
        """None if there is no earlier result to keep, or the job is lost."""
        message = _NOT_READ_AGAIN.format(_WITHDRAWN if job.is_read_again else _EARLIER)
        values = _key(job) | {"warnings": Jsonb([{"page": 1, "message": message}])}
        cursor = await self._connection.execute(self._KEEP_EARLIER, values)
        return optional_job(await cursor.fetchone())


def _storable_error(error: JobError) -> dict[str, object]:
    return msgspec.to_builtins(msgspec.structs.replace(error, detail=_storable(error.detail)))


def _storable(text: str) -> str:
    """PostgreSQL's text cannot hold NUL, and a hostile file may put one into an error."""
    return text.replace("\x00", "\ufffd")


def _key(job: Job) -> dict[str, object]:
    return {"job_id": job.id, "run": job.run}
