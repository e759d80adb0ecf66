"""The SQL of what was published: entries as last said, and files as last proven."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from upschedule.calendars.sequence import EntryRecord
from upschedule.stores.database import Connection

_ENTRIES = """
    SELECT uid, sequence, content_hash, body, modified_at, cancelled_at FROM calendar_entries
    WHERE calendar_id = %(calendar_id)s
"""
_SAY = """
    INSERT INTO calendar_entries (calendar_id, uid, sequence, content_hash, body, modified_at, cancelled_at)
    VALUES (%(calendar_id)s, %(uid)s, %(sequence)s, %(content_hash)s, %(body)s, %(modified_at)s, %(cancelled_at)s)
    ON CONFLICT (calendar_id, uid) DO UPDATE
    SET sequence = excluded.sequence, content_hash = excluded.content_hash, body = excluded.body,
        modified_at = excluded.modified_at, cancelled_at = excluded.cancelled_at
"""
_FORGET = "DELETE FROM calendar_entries WHERE calendar_id = %(calendar_id)s AND cancelled_at < %(before)s"
_KEPT = """
    SELECT body FROM calendar_feeds
    WHERE calendar_id = %(calendar_id)s AND module = %(module)s AND basis = %(basis)s
"""
_KEEP = """
    INSERT INTO calendar_feeds (calendar_id, module, basis, body)
    VALUES (%(calendar_id)s, %(module)s, %(basis)s, %(body)s)
    ON CONFLICT (calendar_id, module) DO UPDATE SET basis = excluded.basis, body = excluded.body
"""
_OLD = """
    DELETE FROM calendar_entries
    WHERE ctid IN (SELECT ctid FROM calendar_entries WHERE cancelled_at < %(before)s LIMIT %(rows_max)s)
"""
_OUTDATED = """
    SELECT id FROM calendars c
    WHERE NOT EXISTS (SELECT FROM calendar_feeds WHERE calendar_id = c.id AND module = '')
      AND EXISTS (SELECT FROM calendar_entries WHERE calendar_id = c.id)
    LIMIT %(rows_max)s
"""
_DROP = "DELETE FROM calendar_feeds WHERE calendar_id = %(calendar_id)s AND module <> '' AND basis <> %(basis)s"


class RecordRepository:
    """Of one calendar. The caller owns the transaction."""

    def __init__(self, connection: Connection, calendar_id: UUID) -> None:
        self._connection = connection
        self._calendar_id = calendar_id

    async def entries(self) -> dict[str, EntryRecord]:
        """By UID, cancelled ones as well."""
        cursor = await self._connection.execute(_ENTRIES, {"calendar_id": self._calendar_id})
        return {row["uid"]: msgspec.convert(row, EntryRecord) for row in await cursor.fetchall()}

    async def say(self, records: Iterable[EntryRecord]) -> None:
        """Inserts or replaces."""
        async with self._connection.cursor() as cursor:
            await cursor.executemany(_SAY, [self._values(record) for record in records])

    async def forget(self, *, cancelled_before: dt.datetime) -> None:
        """Removes what was cancelled long ago: nobody's calendar still shows it."""
        values = {"calendar_id": self._calendar_id, "before": cancelled_before}
        await self._connection.execute(_FORGET, values)

    async def kept(self, module: str, basis: bytes) -> bytes | None:
        """A proven file, if it is made of exactly this."""
        values = {"calendar_id": self._calendar_id, "module": module, "basis": basis}
        row = await (await self._connection.execute(_KEPT, values)).fetchone()
        return row["body"] if row else None

    async def keep(self, module: str, basis: bytes, body: bytes) -> None:
        """Files of single modules that are out of date go."""
        values = {"calendar_id": self._calendar_id, "module": module, "basis": basis, "body": body}
        await self._connection.execute(_KEEP, values)
        await self._connection.execute(_DROP, values)

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


async def forget_old(connection: Connection, *, cancelled_before: dt.datetime, rows_max: int) -> int:
    """Of all calendars. The number of entries that are gone."""
    values = {"before": cancelled_before, "rows_max": rows_max}
    return (await connection.execute(_OLD, values)).rowcount


async def outdated(connection: Connection, *, rows_max: int) -> list[UUID]:
    """Calendars that were published and whose file was forgotten, since a document of theirs was deleted."""
    cursor = await connection.execute(_OUTDATED, {"rows_max": rows_max})
    return [row["id"] for row in await cursor.fetchall()]


def changed(before: Mapping[str, EntryRecord], after: Mapping[str, EntryRecord]) -> Collection[EntryRecord]:
    """What must be written."""
    return [record for uid, record in after.items() if before.get(uid) != record]
