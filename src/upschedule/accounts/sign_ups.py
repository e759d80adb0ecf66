"""The SQL of sign-ups that wait for their first sign-in, or for the link in a message."""

from datetime import datetime
from uuid import UUID

import msgspec

from upschedule.stores.database import Connection


class SignUp(msgspec.Struct, frozen=True, kw_only=True):
    """`visitor_id`: the visitor whose documents the account gets; None if there is no such visitor."""

    email: str
    password_hash: str
    visitor_id: UUID | None


# One statement whether the address has an account or not: neither the answer nor its time may reveal it.
_UPSERT = """
    INSERT INTO sign_ups (email, password_hash, visitor_id, token_hash, created_at)
    VALUES (
        %(email)s, %(password_hash)s, (SELECT id FROM accounts WHERE id = %(visitor_id)s AND email IS NULL),
        %(token_hash)s, %(now)s
    )
    ON CONFLICT (email) DO UPDATE SET
        password_hash = excluded.password_hash, visitor_id = excluded.visitor_id, token_hash = excluded.token_hash,
        created_at = excluded.created_at
"""
# One with a token waits for the link in the message, and is not found by its address.
_FIND = "SELECT * FROM sign_ups WHERE email = %(email)s AND token_hash IS NULL AND created_at > %(since)s"
_FIND_BY_TOKEN = "SELECT * FROM sign_ups WHERE token_hash = %(token_hash)s AND created_at > %(since)s"  # noqa: S105 - a query
_DELETE = "DELETE FROM sign_ups WHERE email = %(email)s AND password_hash = %(password_hash)s RETURNING *"
_FORGET = "DELETE FROM sign_ups WHERE email = %(email)s"


class SignUpRepository:
    """The caller owns the transaction and passes the time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def upsert(
        self, *, email: str, password_hash: str, visitor_id: UUID | None, token_hash: bytes | None, now: datetime
    ) -> None:
        """Replaces an earlier sign-up of this address that was not completed.

        `token_hash` is of the link that completes it; None: the first sign-in does.
        """
        values = {
            "email": email,
            "password_hash": password_hash,
            "visitor_id": visitor_id,
            "token_hash": token_hash,
            "now": now,
        }
        await self._connection.execute(_UPSERT, values)

    async def find(self, email: str, *, since: datetime) -> SignUp | None:
        cursor = await self._connection.execute(_FIND, {"email": email, "since": since})
        return msgspec.convert(await cursor.fetchone(), SignUp | None)

    async def find_by_token(self, token_hash: bytes, *, since: datetime) -> SignUp | None:
        cursor = await self._connection.execute(_FIND_BY_TOKEN, {"token_hash": token_hash, "since": since})
        return msgspec.convert(await cursor.fetchone(), SignUp | None)

    async def delete(self, sign_up: SignUp) -> SignUp | None:
        """The deleted row, for one caller only. None if it was deleted or replaced meanwhile."""
        values = {"email": sign_up.email, "password_hash": sign_up.password_hash}
        cursor = await self._connection.execute(_DELETE, values)
        return msgspec.convert(await cursor.fetchone(), SignUp | None)

    async def forget(self, email: str) -> None:
        """Deletes the sign-up of this address, from any sender."""
        await self._connection.execute(_FORGET, {"email": email})
