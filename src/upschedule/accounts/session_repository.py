"""The SQL of sessions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from upschedule.stores.database import Connection


class SessionLives(msgspec.Struct, frozen=True, kw_only=True):
    """A session ends after `idle` without use, and at the age `absolute` in any case."""

    idle: timedelta
    absolute: timedelta

    @property
    def touch(self) -> timedelta:
        """The age of `last_seen_at` from which a use is recorded: a day, or less for a short idle life."""
        return min(timedelta(days=1), self.idle / 10)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A row without `ended_at`. Its lifetime may be over nevertheless.

    `browser` is what the browser called itself at the sign-in, in short; empty for a visitor's session.
    """

    id_hash: bytes
    account_id: UUID
    created_at: datetime
    last_seen_at: datetime
    browser: str = ""

    def remaining(self, lives: SessionLives, now: datetime) -> timedelta:
        """The time until the session ends without further use; negative once it has ended."""
        return min(self.last_seen_at + lives.idle, self.created_at + lives.absolute) - now


_CREATE = """
    INSERT INTO sessions (id_hash, account_id, created_at, last_seen_at, browser)
    VALUES (%(id_hash)s, %(account_id)s, %(now)s, %(now)s, %(browser)s) RETURNING *
"""
# The account may be gone, and another request may do the same.
_ADOPT = """
    INSERT INTO sessions (id_hash, account_id, created_at, last_seen_at)
    SELECT %(id_hash)s, id, %(now)s, %(now)s FROM accounts WHERE id = %(account_id)s
    ON CONFLICT (id_hash) DO NOTHING
"""
_FIND = "SELECT * FROM sessions WHERE id_hash = %(id_hash)s AND ended_at IS NULL"
_TOUCH = """
    UPDATE sessions SET last_seen_at = greatest(last_seen_at, %(now)s)
    WHERE id_hash = %(id_hash)s AND ended_at IS NULL RETURNING *
"""
# Accounts that are not used for long are deleted by it; once a day is enough.
_NOTE_USE = """
    UPDATE accounts SET used_at = %(now)s WHERE id = %(account_id)s AND used_at < %(now)s - interval '1 day'
"""
_END = "UPDATE sessions SET ended_at = %(now)s WHERE id_hash = %(id_hash)s AND ended_at IS NULL"
_END_ALL = """
    UPDATE sessions SET ended_at = %(now)s
    WHERE account_id = %(account_id)s AND ended_at IS NULL AND id_hash IS DISTINCT FROM %(besides)s RETURNING id_hash
"""
_END_OWNED = """
    UPDATE sessions SET ended_at = %(now)s
    WHERE account_id = %(account_id)s AND id_hash = %(id_hash)s AND ended_at IS NULL RETURNING id_hash
"""
_OF_ACCOUNT = """
    SELECT * FROM sessions
    WHERE account_id = %(account_id)s AND ended_at IS NULL
      AND last_seen_at > %(unseen_since)s AND created_at > %(created_until)s
    ORDER BY last_seen_at DESC, created_at DESC LIMIT %(rows_max)s
"""
# Each part has an index of its own.
_ENDED = """
    SELECT id_hash FROM (
        (SELECT id_hash FROM sessions WHERE ended_at IS NOT NULL ORDER BY ended_at LIMIT %(rows_max)s)
        UNION
        (SELECT id_hash FROM sessions WHERE last_seen_at <= %(unseen_since)s ORDER BY last_seen_at LIMIT %(rows_max)s)
        UNION
        (SELECT id_hash FROM sessions WHERE created_at <= %(created_until)s ORDER BY created_at LIMIT %(rows_max)s)
    ) AS ended LIMIT %(rows_max)s
"""
# A session that was used meanwhile stays.
_DELETE_ENDED = """
    DELETE FROM sessions WHERE id_hash = ANY(%(hashes)s)
    AND (ended_at IS NOT NULL OR last_seen_at <= %(unseen_since)s OR created_at <= %(created_until)s)
"""


class SessionRepository:
    """The caller owns the transaction and passes the time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, id_hash: bytes, account_id: UUID, now: datetime, *, browser: str) -> Session:
        values = {"id_hash": id_hash, "account_id": account_id, "now": now, "browser": browser}
        cursor = await self._connection.execute(_CREATE, values)
        session = msgspec.convert(await cursor.fetchone(), Session)
        await self._note_use(session, now)
        return session

    async def adopt(self, id_hash: bytes, account_id: UUID, now: datetime) -> Session | None:
        """Inserts a session that only Redis has. None if it has ended before, or its account is gone."""
        await self._connection.execute(_ADOPT, {"id_hash": id_hash, "account_id": account_id, "now": now})
        return await self.find(id_hash)

    async def find(self, id_hash: bytes) -> Session | None:
        cursor = await self._connection.execute(_FIND, {"id_hash": id_hash})
        return msgspec.convert(await cursor.fetchone(), Session | None)

    async def touch(self, id_hash: bytes, now: datetime) -> Session | None:
        """The session after this use; None if it has ended."""
        cursor = await self._connection.execute(_TOUCH, {"id_hash": id_hash, "now": now})
        session = msgspec.convert(await cursor.fetchone(), Session | None)
        if session:
            await self._note_use(session, now)
        return session

    async def _note_use(self, session: Session, now: datetime) -> None:
        await self._connection.execute(_NOTE_USE, {"account_id": session.account_id, "now": now})

    async def end(self, id_hash: bytes, now: datetime) -> None:
        await self._connection.execute(_END, {"id_hash": id_hash, "now": now})

    async def end_all(self, account_id: UUID, now: datetime, *, besides: bytes | None = None) -> list[bytes]:
        """The hashes of the sessions that this call ended: all but the one with the hash `besides`."""
        values = {"account_id": account_id, "now": now, "besides": besides}
        cursor = await self._connection.execute(_END_ALL, values)
        return [row["id_hash"] for row in await cursor.fetchall()]

    async def end_owned(self, account_id: UUID, id_hash: bytes, now: datetime) -> list[bytes]:
        """Like `end_all`, for one session. Changes nothing if the session belongs to another account."""
        cursor = await self._connection.execute(_END_OWNED, {"account_id": account_id, "id_hash": id_hash, "now": now})
        return [row["id_hash"] for row in await cursor.fetchall()]

    async def of_account(self, account_id: UUID, lives: SessionLives, now: datetime, *, rows_max: int) -> list[Session]:
        """The account's live sessions, the most recently used first."""
        values = _until(lives, now) | {"account_id": account_id, "rows_max": rows_max}
        cursor = await self._connection.execute(_OF_ACCOUNT, values)
        return msgspec.convert(await cursor.fetchall(), list[Session])

    async def ended(self, lives: SessionLives, now: datetime, *, rows_max: int) -> list[bytes]:
        """The hashes of sessions that were ended, or whose lifetime is over."""
        cursor = await self._connection.execute(_ENDED, _until(lives, now) | {"rows_max": rows_max})
        return [row["id_hash"] for row in await cursor.fetchall()]

    async def delete_ended(self, hashes: Sequence[bytes], lives: SessionLives, now: datetime) -> int:
        """Deletes those of these sessions that have ended. Returns how many."""
        cursor = await self._connection.execute(_DELETE_ENDED, _until(lives, now) | {"hashes": list(hashes)})
        return cursor.rowcount


def _until(lives: SessionLives, now: datetime) -> dict[str, object]:
    return {"unseen_since": now - lives.idle, "created_until": now - lives.absolute}
