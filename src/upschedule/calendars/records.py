"""The SQL of published entries (`calendar_entries`) and of cached calendar files (`calendar_feeds`)."""

import datetime as dt
from collections.abc import Iterable
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from upschedule.calendars.sequence import EntryRecord
from upschedule.stores.database import Connection

_ENTRIES = """
    SELECT uid, sequence, content_hash, body, modified_at, cancelled_at FROM calendar_entries
    WHERE calendar_id = %(calendar_id)s
"""
_UPSERT_ENTRY = """
    INSERT INTO calendar_entries (calendar_id, uid, sequence, content_hash, body, modified_at, cancelled_at)
    VALUES (%(calendar_id)s, %(uid)s, %(sequence)s, %(content_hash)s, %(body)s, %(modified_at)s, %(cancelled_at)s)
    ON CONFLICT (calendar_id, uid) DO UPDATE
    SET sequence = excluded.sequence, content_hash = excluded.content_hash, body = excluded.body,
        modified_at = excluded.modified_at, cancelled_at = excluded.cancelled_at
"""
_DELETE_CANCELLED = "DELETE FROM calendar_entries WHERE calendar_id = %(calendar_id)s AND cancelled_at < %(before)s"
_CACHED_FILE = """
    SELECT body FROM calendar_feeds
    WHERE calendar_id = %(calendar_id)s AND module = %(module)s AND basis = %(basis)s
"""
_STORE_FILE = """
    INSERT INTO calendar_feeds (calendar_id, module, basis, body)
    VALUES (%(calendar_id)s, %(module)s, %(basis)s, %(body)s)
    ON CONFLICT (calendar_id, module) DO UPDATE SET basis = excluded.basis, body = excluded.body
"""
_DELETE_STALE_MODULES = """
    DELETE FROM calendar_feeds WHERE calendar_id = %(calendar_id)s AND module <> '' AND basis <> %(basis)s
"""
_DELETE_CANCELLED_ANYWHERE = """
    DELETE FROM calendar_entries
    WHERE ctid IN (SELECT ctid FROM calendar_entries WHERE cancelled_at < %(before)s LIMIT %(rows_max)s)
"""
_WITHOUT_FILE = """
    SELECT id FROM calendars c
    WHERE NOT EXISTS (SELECT FROM calendar_feeds WHERE calendar_id = c.id AND module = '')
      AND EXISTS (SELECT FROM calendar_entries WHERE calendar_id = c.id)
    LIMIT %(rows_max)s
"""


class RecordRepository:
    """The records of one calendar. The caller owns the transaction."""

    def __init__(self, connection: Connection, calendar_id: UUID) -> None:
        self._connection = connection
        self._calendar_id = calendar_id

    async def entries(self) -> dict[str, EntryRecord]:
        """All entries by UID, including cancelled ones."""
        cursor = await self._connection.execute(_ENTRIES, {"calendar_id": self._calendar_id})
        return {row["uid"]: msgspec.convert(row, EntryRecord) for row in await cursor.fetchall()}

    async def upsert_entries(self, records: Iterable[EntryRecord]) -> None:
        async with self._connection.cursor() as cursor:
            await cursor.executemany(_UPSERT_ENTRY, [self._values(record) for record in records])

    async def delete_cancelled(self, *, before: dt.datetime) -> None:
        """Deletes entries that were cancelled before this time. Calendar programs have removed them by then."""
        await self._connection.execute(_DELETE_CANCELLED, {"calendar_id": self._calendar_id, "before": before})

    async def cached_file(self, module: str, basis: bytes) -> bytes | None:
        """The verified file, if it was built from exactly these inputs."""
        values = {"calendar_id": self._calendar_id, "module": module, "basis": basis}
        row = await (await self._connection.execute(_CACHED_FILE, values)).fetchone()
        return row["body"] if row else None

    async def store_file(self, module: str, basis: bytes, body: bytes) -> None:
        """Stores the file, and deletes files of single modules that were built from other inputs."""
        values = {"calendar_id": self._calendar_id, "module": module, "basis": basis, "body": body}
        await self._connection.execute(_STORE_FILE, values)
        await self._connection.execute(_DELETE_STALE_MODULES, values)

    def _values(self, record: EntryRecord) -> dict[str, object]:
        return {
            "calendar_id": self._calendar_id,
            "uid": record.uid,
            "sequence": record.sequence,
            "content_hash": record.content_hash,
            "body": Jsonb(msgspec.to_builtins(record.body)),
            "modified_at": record.modified_at,
            "cancelled_at": record.cancelled_at,
        }


async def delete_cancelled_entries(connection: Connection, *, before: dt.datetime, rows_max: int) -> int:
    """Deletes cancelled entries of all calendars. Returns how many."""
    return (await connection.execute(_DELETE_CANCELLED_ANYWHERE, {"before": before, "rows_max": rows_max})).rowcount


async def calendars_without_file(connection: Connection, *, rows_max: int) -> list[UUID]:
    """Calendars that were published before, but whose file is gone because one of their documents was deleted."""
    cursor = await connection.execute(_WITHOUT_FILE, {"rows_max": rows_max})
    return [row["id"] for row in await cursor.fetchall()]
