"""The SQL of a job's owner: insert, look up, queue again, delete.

All transactions take locks in one order, so that none can deadlock: account, job, length of the queue.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from psycopg.rows import DictRow

from upschedule.processing.errors import AccountNotFound, JobNotFound, NotCompleted, QueueFull, QuotaExceeded
from upschedule.processing.job import Job
from upschedule.stores.database import Connection
from upschedule.stores.stored_events import SELECT_RESULTS, decode_events, decode_warnings
from upschedule.timetable.event import Extraction


def job_from_row(row: DictRow) -> Job:
    """Raises msgspec.ValidationError if a column is missing or the status is unknown."""
    return msgspec.convert(row, Job)


def optional_job(row: DictRow | None) -> Job | None:
    """The job of a query that finds at most one row."""
    return None if row is None else job_from_row(row)


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """An upload whose object is already stored."""

    id: UUID
    account_id: UUID
    sha256: bytes
    file_name: str
    size_bytes: int
    object_key: str
    request_id: str | None
    address_hash: bytes | None = None


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """The bound of the queue, and when a refused upload may be repeated.

    Beyond `limit` there is a `reserve` for those whose network does not fill the queue: an address may hold as many
    places as are still free in it. Visitors of the address who had a document read before count apart from the new
    ones. So one address cannot keep out the others, and however many fill the reserve, there is room for another one.
    """

    limit: int
    reserve: int
    retry_after_seconds: int


class JobRepository:
    """The caller owns the transaction: all calls on one connection commit together."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    _GET = "SELECT * FROM jobs WHERE id = %(job_id)s"

    async def get(self, job_id: UUID) -> Job | None:
        cursor = await self._connection.execute(self._GET, {"job_id": job_id})
        return optional_job(await cursor.fetchone())

    _GET_ALL = "SELECT * FROM jobs WHERE id = ANY(%(job_ids)s)"

    async def get_all(self, job_ids: list[UUID]) -> dict[UUID, Job]:
        """Those that exist, by id."""
        rows = await (await self._connection.execute(self._GET_ALL, {"job_ids": job_ids})).fetchall()
        return {job.id: job for job in map(job_from_row, rows)}

    _GET_OWNED = "SELECT * FROM jobs WHERE id = %(job_id)s AND account_id = %(account_id)s FOR UPDATE"

    async def lock(self, account_id: UUID, job_id: UUID) -> Job | None:
        """None for another owner's job."""
        cursor = await self._connection.execute(self._GET_OWNED, {"job_id": job_id, "account_id": account_id})
        return optional_job(await cursor.fetchone())

    async def lock_owned(self, account_id: UUID, job_id: UUID) -> Job:
        """Locks the account, then its job. Raises AccountNotFound or JobNotFound."""
        await self.lock_account(account_id)
        job = await self.lock(account_id, job_id)
        if job is None:
            raise JobNotFound
        return job

    _SAME_BYTES = "SELECT * FROM jobs WHERE account_id = %(account_id)s AND sha256 = %(sha256)s"

    async def same_bytes(self, account_id: UUID, sha256: bytes) -> Job | None:
        """The job of this owner with these bytes; there is at most one."""
        cursor = await self._connection.execute(self._SAME_BYTES, {"account_id": account_id, "sha256": sha256})
        return optional_job(await cursor.fetchone())

    _LOCK_ACCOUNT = "SELECT stored_bytes FROM accounts WHERE id = %(account_id)s FOR NO KEY UPDATE"

    async def lock_account(self, account_id: UUID) -> None:
        """Serialises uploads, deletions and retention of one account. Raises AccountNotFound."""
        cursor = await self._connection.execute(self._LOCK_ACCOUNT, {"account_id": account_id})
        if await cursor.fetchone() is None:
            raise AccountNotFound

    _CHARGE = """
        UPDATE accounts SET stored_bytes = stored_bytes + %(size_bytes)s
        WHERE id = %(account_id)s
          AND (%(quota_bytes)s::bigint IS NULL OR stored_bytes + %(size_bytes)s <= %(quota_bytes)s)
    """

    async def charge(self, account_id: UUID, size_bytes: int, *, quota_bytes: int | None) -> None:
        """Raises QuotaExceeded (R11.4). None: the account has no quota."""
        values = {"account_id": account_id, "size_bytes": size_bytes, "quota_bytes": quota_bytes}
        cursor = await self._connection.execute(self._CHARGE, values)
        if cursor.rowcount == 0:
            raise QuotaExceeded

    _REFUND = "UPDATE accounts SET stored_bytes = stored_bytes - %(size_bytes)s WHERE id = %(account_id)s"

    async def refund(self, account_id: UUID, size_bytes: int) -> None:
        await self._connection.execute(self._REFUND, {"account_id": account_id, "size_bytes": size_bytes})

    # The number is arbitrary. Every process that adds to the queue takes this lock while it counts.
    _LOCK_QUEUE = "SELECT pg_advisory_xact_lock(4207000001)"

    async def lock_queue(self) -> None:
        """No other transaction adds to the queue until this one ends (R2.2)."""
        await self._connection.execute(self._LOCK_QUEUE)

    # Counted, because with EXISTS PostgreSQL would scan the table if it expects a row of the account early. Jobs of
    # exempt accounts take no place.
    _COUNT_QUEUED = """
        SELECT count(*) AS queued,
               count(*) FILTER (WHERE address_hash = %(address_hash)s AND established = (
                   SELECT count(*) > 0 FROM jobs AS earlier
                   WHERE earlier.account_id = %(account_id)s AND earlier.status = 'completed'
               )) AS of_share
        FROM jobs WHERE status = 'queued' AND provisional_release IS NULL
          AND account_id NOT IN (SELECT exempt_accounts.account_id FROM exempt_accounts)
    """

    async def check_room(self, account_id: UUID, address_hash: bytes | None, room: Room) -> None:
        """Raises QueueFull unless one more job fits. Exact only while the queue is locked."""
        values = {"account_id": account_id, "address_hash": address_hash}
        row = await (await self._connection.execute(self._COUNT_QUEUED, values)).fetchone()
        queued, of_share = (row["queued"], row["of_share"]) if row else (0, 0)
        if queued < room.limit:
            return
        left = room.limit + room.reserve - queued
        if address_hash is None or of_share >= left:
            raise QueueFull(retry_after_seconds=room.retry_after_seconds, of_network=0 < left <= of_share)

    _INSERT = """
        INSERT INTO jobs (id, account_id, sha256, file_name, size_bytes, object_key, stored_at, request_id, rung_at,
                          address_hash, address_noted_at, established)
        VALUES (%(id)s, %(account_id)s, %(sha256)s, %(file_name)s, %(size_bytes)s, %(object_key)s, now(),
                %(request_id)s, now(), %(address_hash)s, CASE WHEN %(address_hash)s::bytea IS NOT NULL THEN now() END,
                (SELECT count(*) > 0 FROM jobs AS earlier
                 WHERE earlier.account_id = %(account_id)s AND earlier.status = 'completed'))
        RETURNING *
    """

    async def insert(self, new: NewJob) -> Job:
        """The row counts as announced: the caller sends the wake-up message after the commit."""
        cursor = await self._connection.execute(self._INSERT, msgspec.structs.asdict(new))
        return job_from_row(await cursor.fetchone() or {})

    _QUEUE_AGAIN = """
        UPDATE jobs
        SET status = 'queued', attempt = 0, pages_read = 0, error = NULL, finished_at = NULL, run_after = now(),
            rung_at = now(), request_id = %(request_id)s, version = version + 1,
            stored_at = CASE WHEN object_key IS DISTINCT FROM %(object_key)s THEN now() ELSE stored_at END,
            object_key = %(object_key)s, provisional_release = NULL, address_hash = %(address_hash)s,
            address_noted_at = CASE WHEN %(address_hash)s::bytea IS NOT NULL THEN now() END,
            established = (SELECT count(*) > 0 FROM jobs AS earlier
                 WHERE earlier.account_id = %(account_id)s AND earlier.status = 'completed')
        WHERE id = %(job_id)s
        RETURNING *
    """

    async def queue_again(
        self, job: Job, *, object_key: str, request_id: str | None, address_hash: bytes | None
    ) -> Job:
        """Queues a final job that this transaction has locked. A slow job stays slow."""
        values = {
            "job_id": job.id,
            "account_id": job.account_id,
            "object_key": object_key,
            "request_id": request_id,
            "address_hash": address_hash,
        }
        cursor = await self._connection.execute(self._QUEUE_AGAIN, values)
        return job_from_row(await cursor.fetchone() or {})

    _DELETE = "DELETE FROM jobs WHERE id = %(job_id)s"

    async def delete(self, job_id: UUID) -> None:
        """Deletes the job with its entries, dead letters and place in calendars."""
        await self._connection.execute(self._DELETE, {"job_id": job_id})

    _RECENT = """
        SELECT * FROM jobs
        WHERE account_id = %(account_id)s
          AND (%(created_at)s::timestamptz IS NULL OR (created_at, id) < (%(created_at)s, %(job_id)s))
        ORDER BY created_at DESC, id DESC
        LIMIT %(limit)s
    """

    async def recent(self, account_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int) -> list[Job]:
        """Newest first; `before` is the creation time and id of the last job of the page before."""
        created_at, job_id = before or (None, None)
        values = {"account_id": account_id, "created_at": created_at, "job_id": job_id, "limit": limit}
        cursor = await self._connection.execute(self._RECENT, values)
        return [job_from_row(row) for row in await cursor.fetchall()]

    _RESULTS = (
        SELECT_RESULTS
        + """
        WHERE id = ANY(%(job_ids)s) AND account_id = %(account_id)s AND (
            status = 'completed'
            OR (status IN ('queued', 'processing') AND EXISTS (SELECT FROM events WHERE job_id = jobs.id))
        )
    """
    )
    _IS_OWNED = "SELECT FROM jobs WHERE id = %(job_id)s AND account_id = %(account_id)s"

    async def extractions(self, account_id: UUID, job_ids: Sequence[UUID]) -> dict[UUID, Extraction]:
        """The results of those of these jobs that are this account's and have one, in one statement.

        A job that is read again has its earlier result until the new one replaces it.
        """
        values = {"job_ids": list(job_ids), "account_id": account_id}
        cursor = await self._connection.execute(self._RESULTS, values)
        return {
            row["id"]: Extraction(
                events=decode_events(row["events"]), warnings=decode_warnings(row["warnings"]), pages=row["pages"]
            )
            for row in await cursor.fetchall()
        }

    async def extraction(self, account_id: UUID, job_id: UUID) -> Extraction:
        """Like `extractions`, for one job. Raises JobNotFound or NotCompleted."""
        found = await self.extractions(account_id, [job_id])
        if job_id in found:
            return found[job_id]
        values = {"job_id": job_id, "account_id": account_id}
        owned = await (await self._connection.execute(self._IS_OWNED, values)).fetchone()
        raise JobNotFound if owned is None else NotCompleted
