"""The table of sign-ups that wait for their first sign-in."""

from datetime import datetime
from uuid import UUID

import msgspec

from upschedule.stores.database import Connection


class SignUp(msgspec.Struct, frozen=True, kw_only=True):
    """`visitor_id`: whose documents go to the account; None where there is no visitor, or none any more."""

    email: str
    password_hash: str
    visitor_id: UUID | None


# One statement, whether the address has an account or not: neither the answer nor its time may tell.
_KEEP = """
    INSERT INTO sign_ups (email, password_hash, visitor_id, created_at)
    VALUES (
        %(email)s, %(password_hash)s, (SELECT id FROM accounts WHERE id = %(visitor_id)s AND email IS NULL), %(now)s
    )
    ON CONFLICT (email) DO UPDATE SET
        password_hash = excluded.password_hash, visitor_id = excluded.visitor_id, created_at = excluded.created_at
"""
_FIND = "SELECT * FROM sign_ups WHERE email = %(email)s AND created_at > %(since)s"
_TAKE = "DELETE FROM sign_ups WHERE email = %(email)s AND password_hash = %(password_hash)s RETURNING *"
# By time alone: the process that removes them may not read whose they are.
_REMOVE = """
    DELETE FROM sign_ups WHERE created_at <= (
        SELECT max(created_at) FROM (
            SELECT created_at FROM sign_ups WHERE created_at <= %(until)s ORDER BY created_at LIMIT %(rows_max)s
        ) AS oldest
    )
"""


class SignUpRepository:
    """The caller owns the transaction, and hands in the time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep(self, *, email: str, password_hash: str, visitor_id: UUID | None, now: datetime) -> None:
        """Replaces an earlier sign-up with this address that no sign-in has completed."""
        values = {"email": email, "password_hash": password_hash, "visitor_id": visitor_id, "now": now}
        await self._connection.execute(_KEEP, values)

    async def find(self, email: str, *, since: datetime) -> SignUp | None:
        cursor = await self._connection.execute(_FIND, {"email": email, "since": since})
        return msgspec.convert(await cursor.fetchone(), SignUp | None)

    async def take(self, sign_up: SignUp) -> SignUp | None:
        """For one caller only. None where it was taken or replaced meanwhile."""
        values = {"email": sign_up.email, "password_hash": sign_up.password_hash}
        cursor = await self._connection.execute(_TAKE, values)
        return msgspec.convert(await cursor.fetchone(), SignUp | None)

    async def remove(self, *, until: datetime, rows_max: int) -> int:
        cursor = await self._connection.execute(_REMOVE, {"until": until, "rows_max": rows_max})
        return cursor.rowcount
