"""Changes by operators: each change and its record are one transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import LiteralString
from uuid import UUID

import msgspec
import structlog
from psycopg.types.json import Jsonb

from upschedule.errors import Refusal
from upschedule.metrics import OPERATOR_ACTIONS
from upschedule.processing.doorbell import Doorbell
from upschedule.processing.errors import ReadingCancelled
from upschedule.processing.job import Job, JobError, Status
from upschedule.processing.operators.answers import Changed
from upschedule.processing.operators.errors import (
    FileDeleted,
    HasEarlierResult,
    HasEnded,
    HasNotFailed,
    NotExempt,
    SameAnswer,
    UnknownAccount,
    UnknownJob,
)
from upschedule.processing.repository import job_from_row, optional_job
from upschedule.processing.status_events import StatusBroadcaster
from upschedule.stores.database import Connection, Database

_log = structlog.get_logger(__name__)

_LOCK_JOB = "SELECT * FROM jobs WHERE id = %(job_id)s FOR UPDATE"
# Of an earlier reading, which stays until the new one replaces it; no failed job has one.
_RESULT = "SELECT FROM events WHERE job_id = %(job_id)s LIMIT 1"
# Owner, address and request stay those of the upload: an operator's retry is not an upload.
_QUEUE_AGAIN = """
    UPDATE jobs
    SET status = 'queued', attempt = 0, pages_read = 0, error = NULL, finished_at = NULL, run_after = now(),
        rung_at = now(), version = version + 1, provisional_release = NULL
    WHERE id = %(job_id)s RETURNING *
"""
# A worker that reads it stops at its next heartbeat: the job is no longer processing.
_CANCEL = """
    UPDATE jobs
    SET status = 'failed', lease_until = NULL, finished_at = now(), error = %(error)s, version = version + 1,
        provisional_release = NULL
    WHERE id = %(job_id)s RETURNING *
"""
# The sweeper announces at its next sweep every job that is due and was never announced.
_ANNOUNCE_ALL = "UPDATE jobs SET rung_at = NULL WHERE status = 'queued' AND run_after <= now()"
_PAUSE = """
    UPDATE queue_pauses SET paused_at = coalesce(paused_at, now()) WHERE name = 'jobs' RETURNING paused_at
"""
_RESUME = "UPDATE queue_pauses SET paused_at = NULL WHERE name = 'jobs'"
_EXEMPT = """
    WITH known AS (SELECT id FROM accounts WHERE id = %(account_id)s),
         added AS (INSERT INTO exempt_accounts (account_id) SELECT id FROM known ON CONFLICT (account_id) DO NOTHING)
    SELECT id FROM known
"""
_END_EXEMPTION = "DELETE FROM exempt_accounts WHERE account_id = %(account_id)s RETURNING account_id"
_RECORD = """
    INSERT INTO operator_actions (action, operator, address, reason, job_id, account_id)
    VALUES (%(action)s, %(operator)s, %(address)s, %(reason)s, %(job_id)s, %(account_id)s)
"""


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """The author of a change as the operator's machine names it, the machine, and the reason."""

    name: str
    address: str
    reason: str


class OperatorChanges:
    """Any scheduler may use it, not only the leader. If a method raises StoreError, nothing has changed."""

    def __init__(
        self, database: Database, broadcaster: StatusBroadcaster, doorbell: Doorbell, *, reader_version: str
    ) -> None:
        self._database = database
        self._broadcaster = broadcaster
        self._doorbell = doorbell
        self._reader_version = reader_version

    async def retry(self, job_id: UUID, by: Operator) -> Changed:
        """Queues a failed job again, beyond the bound of the queue and without its owner's limits.

        Raises UnknownJob, HasNotFailed, SameAnswer or FileDeleted.
        """
        async with self._database.transaction() as connection:
            job = await _locked(connection, job_id)
            if job.status is not Status.FAILED:
                raise HasNotFailed
            if job.answers(self._reader_version):
                raise SameAnswer
            if job.object_key is None:
                raise FileDeleted
            queued = await _changed(connection, _QUEUE_AGAIN, {"job_id": job_id})
            await _record(connection, "retry", by, job_id)
        await self._announce("retry", by, queued)
        await self._doorbell.ring(job_id)
        return Changed(action="retry", job_id=job_id, status=queued.status)

    async def cancel(self, job_id: UUID, by: Operator) -> Changed:
        """Ends a job that waits or is read, as failed; its owner may try it again.

        Raises UnknownJob, HasEnded or HasEarlierResult.
        """
        cause = ReadingCancelled()
        error = JobError(code=cause.code, title=cause.title, detail=cause.detail, in_file=False)
        async with self._database.transaction() as connection:
            job = await _locked(connection, job_id)
            if job.is_final:
                raise HasEnded
            if await _has_result(connection, job_id):
                raise HasEarlierResult
            values = {"job_id": job_id, "error": Jsonb(msgspec.to_builtins(error))}
            cancelled = await _changed(connection, _CANCEL, values)
            await _record(connection, "cancel", by, job_id)
        await self._announce("cancel", by, cancelled)
        return Changed(action="cancel", job_id=job_id, status=cancelled.status)

    async def pause(self, by: Operator) -> Changed:
        """Lets workers claim no job. Readings under way end as always, and uploads wait. Safe to repeat."""
        async with self._database.transaction() as connection:
            row = await (await connection.execute(_PAUSE)).fetchone()
            await _record(connection, "pause", by)
        paused_at: datetime | None = row["paused_at"] if row else None
        _report("pause", by)
        return Changed(action="pause", paused_at=paused_at)

    async def resume(self, by: Operator) -> Changed:
        """Lets workers claim jobs again. Safe to repeat."""
        async with self._database.transaction() as connection:
            await connection.execute(_RESUME)
            await connection.execute(_ANNOUNCE_ALL)
            await _record(connection, "resume", by)
        _report("resume", by)
        return Changed(action="resume")

    async def exempt(self, account_id: UUID, by: Operator) -> Changed:
        """Lifts the limits of an account and keeps its jobs out of the figures of the queue. Safe to repeat.

        API instances follow within seconds. Raises UnknownAccount.
        """
        await self._change_account("exempt", _EXEMPT, account_id, by, otherwise=UnknownAccount)
        return Changed(action="exempt", account_id=account_id)

    async def end_exemption(self, account_id: UUID, by: Operator) -> Changed:
        """Gives an exempt account its limits back. Raises NotExempt."""
        await self._change_account("end-exemption", _END_EXEMPTION, account_id, by, otherwise=NotExempt)
        return Changed(action="end-exemption", account_id=account_id)

    async def _change_account(
        self, action: str, statement: LiteralString, account_id: UUID, by: Operator, *, otherwise: type[Refusal]
    ) -> None:
        """Raises `otherwise` if the statement finds nothing."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(statement, {"account_id": account_id})
            if await cursor.fetchone() is None:
                raise otherwise
            await _record(connection, action, by, account_id=account_id)
        _report(action, by, account_id=account_id)

    async def _announce(self, action: str, by: Operator, job: Job) -> None:
        _report(action, by, job)
        await self._broadcaster.changed(job)


async def _locked(connection: Connection, job_id: UUID) -> Job:
    job = optional_job(await (await connection.execute(_LOCK_JOB, {"job_id": job_id})).fetchone())
    if job is None:
        raise UnknownJob
    return job


async def _has_result(connection: Connection, job_id: UUID) -> bool:
    return await (await connection.execute(_RESULT, {"job_id": job_id})).fetchone() is not None


async def _changed(connection: Connection, statement: LiteralString, values: Mapping[str, object]) -> Job:
    return job_from_row(await (await connection.execute(statement, values)).fetchone() or {})


async def _record(
    connection: Connection,
    action: str,
    by: Operator,
    job_id: UUID | None = None,
    *,
    account_id: UUID | None = None,
) -> None:
    values = {
        "action": action,
        "operator": by.name,
        "address": by.address,
        "reason": by.reason,
        "job_id": job_id,
        "account_id": account_id,
    }
    await connection.execute(_RECORD, values)


def _report(action: str, by: Operator, job: Job | None = None, *, account_id: UUID | None = None) -> None:
    """Logs the change. Call it after the commit."""
    OPERATOR_ACTIONS.labels(action=action).inc()
    ids: dict[str, str | None] = {"account_id": str(account_id)} if account_id else {}
    if job:
        ids = {"job_id": str(job.id), "account_id": str(job.account_id), "request_id": job.request_id}
    _log.warning("operator_action", action=action, operator=by.name, address=by.address, reason=by.reason, **ids)
