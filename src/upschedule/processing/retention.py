"""Removes old files (R11.5), messages (R2.4), dead letters (R2.5), reports, notes of changes, and orphans."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from redis.asyncio import Redis

from upschedule.processing.intake import OBJECT_PREFIX
from upschedule.processing.repository import JobRepository
from upschedule.settings import JobSettings, SchedulerSettings, UploadSettings
from upschedule.stores.database import Database
from upschedule.stores.objects import ObjectStore
from upschedule.stores.retention import remove_part
from upschedule.stores.stream import StreamName
from upschedule.stores.stream_trim import trim

_ROWS_MAX = 500
# More than the uploads between two rounds, so that no hash is kept for longer than promised.
_ADDRESSES_MAX = 20_000
#: Minimum age of an orphan and interval of the search: far longer than an upload takes from its object to its row.
ORPHAN_SECONDS = 3600

_OLD_FILES = """
    SELECT id, account_id, object_key, size_bytes FROM jobs
    WHERE object_key IS NOT NULL AND status IN ('completed', 'failed')
      AND stored_at < now() - %(keep_seconds)s * interval '1 second'
      AND NOT EXISTS (SELECT 1 FROM row_reports WHERE job_id = jobs.id AND file_until > now())
    ORDER BY stored_at LIMIT %(rows_max)s
"""
_FORGET_FILE = """
    UPDATE jobs SET object_key = NULL, stored_at = NULL
    WHERE id = %(id)s AND object_key = %(object_key)s AND status IN ('completed', 'failed')
"""
_OLD_LETTERS = """
    DELETE FROM dead_letters WHERE id IN (
        SELECT id FROM dead_letters WHERE failed_at < now() - %(keep_seconds)s * interval '1 second'
        ORDER BY failed_at LIMIT %(rows_max)s
    )
"""
_OLD_ACTIONS = """
    DELETE FROM operator_actions WHERE id IN (
        SELECT id FROM operator_actions WHERE done_at < now() - %(keep_seconds)s * interval '1 second'
        ORDER BY done_at LIMIT %(rows_max)s
    )
"""
_OLD_REPORTS = """
    DELETE FROM row_reports WHERE id IN (
        SELECT id FROM row_reports WHERE created_at < now() - %(keep_seconds)s * interval '1 second'
        ORDER BY created_at LIMIT %(rows_max)s
    )
"""
_OLD_DELETIONS = """
    DELETE FROM deletions WHERE id IN (
        SELECT id FROM deletions WHERE deleted_at < now() - %(keep_seconds)s * interval '1 second'
        ORDER BY deleted_at LIMIT %(rows_max)s
    )
"""
# Several rows may hold the same hash, and each of them expires by its own time.
_OLD_ADDRESSES = (
    """
    UPDATE jobs SET address_hash = NULL, address_noted_at = NULL WHERE id = ANY (ARRAY (
        SELECT id FROM jobs WHERE address_noted_at < now() - %(keep_seconds)s * interval '1 second'
        ORDER BY address_noted_at LIMIT %(rows_max)s
        FOR UPDATE SKIP LOCKED
    ))
    """,
    "DELETE FROM address_shares WHERE noted_at < now() - %(keep_seconds)s * interval '1 second'",
    "DELETE FROM visitor_shares WHERE used_at < now() - %(keep_seconds)s * interval '1 second'",
)
_HOUR_SECONDS = 3600
_DAY_SECONDS = 24 * _HOUR_SECONDS
_POINTED_AT = "SELECT object_key FROM jobs WHERE object_key = ANY(%(keys)s)"


class _StoredFile(msgspec.Struct, frozen=True):
    id: UUID
    account_id: UUID
    object_key: str
    size_bytes: int


class Retention:
    """The leading scheduler cleans up. Two at once are safe."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        redis_state: Redis,
        stream: StreamName,
        uploads: UploadSettings,
        jobs: JobSettings,
        scheduler: SchedulerSettings,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._objects = objects
        self._redis = redis_state
        self._stream = stream
        self._uploads = uploads
        self._jobs = jobs
        self._scheduler = scheduler
        self._now = now

    async def remove_old(self) -> None:
        """One pass, bounded in size. A StoreError interrupts only the part that needs that store."""
        await remove_part("files", self._remove_files)
        await remove_part("dead-letters", self._remove_letters)
        await remove_part("operator-actions", self._remove_actions)
        await remove_part("row-reports", self._remove_reports)
        await remove_part("deletions", self._remove_deletions)
        await remove_part("addresses", self._forget_addresses)
        await remove_part("messages", self._remove_messages)

    async def remove_orphans(self) -> None:
        """Compares all objects with the rows."""
        await remove_part("orphans", self._remove_orphans)

    async def _remove_files(self) -> int:
        values = {"keep_seconds": _HOUR_SECONDS * self._uploads.keep_hours, "rows_max": _ROWS_MAX}
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(_OLD_FILES, values)).fetchall()
        removed = 0
        for file in msgspec.convert(rows, list[_StoredFile]):
            removed += await self._remove_file(file)
        return removed

    async def _remove_file(self, file: _StoredFile) -> int:
        """Updates the row first: after a crash there is an object without a row, and never the opposite."""
        async with self._database.transaction() as connection:
            jobs = JobRepository(connection)
            await jobs.lock_account(file.account_id)
            cursor = await connection.execute(_FORGET_FILE, {"id": file.id, "object_key": file.object_key})
            if cursor.rowcount == 0:
                return 0
            await jobs.refund(file.account_id, file.size_bytes)
        await self._objects.delete(file.object_key)
        return 1

    async def _remove_letters(self) -> int:
        values = {"keep_seconds": _HOUR_SECONDS * self._jobs.dead_letter_hours, "rows_max": _ROWS_MAX}
        async with self._database.transaction() as connection:
            return (await connection.execute(_OLD_LETTERS, values)).rowcount

    async def _remove_actions(self) -> int:
        values = {"keep_seconds": _DAY_SECONDS * self._scheduler.operator_actions_days, "rows_max": _ROWS_MAX}
        async with self._database.transaction() as connection:
            return (await connection.execute(_OLD_ACTIONS, values)).rowcount

    async def _remove_reports(self) -> int:
        values = {"keep_seconds": _DAY_SECONDS * self._jobs.report_days, "rows_max": _ROWS_MAX}
        async with self._database.transaction() as connection:
            return (await connection.execute(_OLD_REPORTS, values)).rowcount

    async def _remove_deletions(self) -> int:
        """Notes of deletions that no backup is old enough to bring back."""
        values = {"keep_seconds": _DAY_SECONDS * self._scheduler.deletions_days, "rows_max": _ROWS_MAX}
        async with self._database.transaction() as connection:
            return (await connection.execute(_OLD_DELETIONS, values)).rowcount

    async def _forget_addresses(self) -> int:
        """Forgets addresses, and the used time of visitors, after `address_hours`."""
        values = {"keep_seconds": _HOUR_SECONDS * self._jobs.address_hours, "rows_max": _ADDRESSES_MAX}
        async with self._database.transaction() as connection:
            return sum([(await connection.execute(statement, values)).rowcount for statement in _OLD_ADDRESSES])

    async def _remove_messages(self) -> int:
        return await trim(self._redis, self._stream, older_than_seconds=_HOUR_SECONDS * self._jobs.message_hours_max)

    async def _remove_orphans(self) -> int:
        before = self._now() - timedelta(seconds=ORPHAN_SECONDS)
        removed, seen_to = 0, ""
        while page := await self._objects.find(OBJECT_PREFIX, after=seen_to):
            seen_to = page[-1].key
            orphans = await self._without_row([item.key for item in page if item.modified_at < before])
            for key in orphans:
                await self._objects.delete(key)
            removed += len(orphans)
        return removed

    async def _without_row(self, keys: list[str]) -> list[str]:
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(_POINTED_AT, {"keys": keys})).fetchall()
        pointed_at = {row["object_key"] for row in rows}
        return [key for key in keys if key not in pointed_at]
