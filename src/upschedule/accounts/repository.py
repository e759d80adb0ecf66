"""The SQL of accounts."""

from datetime import datetime
from uuid import UUID

import msgspec
import psycopg

from upschedule.stores.database import Connection


class AddressTaken(Exception):
    """Another account has this e-mail address already."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account. Without `email` it is a visitor's, reachable through a session only."""

    id: UUID
    email: str | None
    password_hash: str | None
    stored_bytes: int
    created_at: datetime


_CREATE = "INSERT INTO accounts (email, password_hash) VALUES (%s, %s) RETURNING *"
_FIND = "SELECT * FROM accounts WHERE id = %s"
_FIND_BY_EMAIL = "SELECT * FROM accounts WHERE email = %s"
_SIGN_UP = "UPDATE accounts SET email = %s, password_hash = %s WHERE id = %s AND email IS NULL RETURNING *"
_REHASH = "UPDATE accounts SET password_hash = %s WHERE id = %s AND password_hash = %s"
_SET_HASH = "UPDATE accounts SET password_hash = %s WHERE id = %s AND email IS NOT NULL"
_DELETE = "DELETE FROM accounts WHERE id = %s"
_DELETE_VISITOR = """
    DELETE FROM accounts a WHERE id = %s AND email IS NULL
    AND NOT EXISTS (SELECT FROM jobs WHERE account_id = a.id)
    AND NOT EXISTS (SELECT FROM calendars WHERE account_id = a.id)
"""


class AccountRepository:
    """The caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, *, email: str | None = None, password_hash: str | None = None) -> Account:
        """Raises AddressTaken."""
        try:
            cursor = await self._connection.execute(_CREATE, (email, password_hash))
        except psycopg.errors.UniqueViolation as error:
            raise AddressTaken from error
        return msgspec.convert(await cursor.fetchone(), Account)

    async def find(self, account_id: UUID) -> Account | None:
        cursor = await self._connection.execute(_FIND, (account_id,))
        return msgspec.convert(await cursor.fetchone(), Account | None)

    async def find_by_email(self, email: str) -> Account | None:
        cursor = await self._connection.execute(_FIND_BY_EMAIL, (email,))
        return msgspec.convert(await cursor.fetchone(), Account | None)

    async def sign_up(self, account_id: UUID, *, email: str, password_hash: str) -> Account | None:
        """None if there is no such visitor, or it has an address already. Raises AddressTaken."""
        try:
            cursor = await self._connection.execute(_SIGN_UP, (email, password_hash, account_id))
        except psycopg.errors.UniqueViolation as error:
            raise AddressTaken from error
        return msgspec.convert(await cursor.fetchone(), Account | None)

    async def rehash(self, account: Account, password_hash: str) -> None:
        """Changes nothing if the password is no longer the verified one."""
        await self._connection.execute(_REHASH, (password_hash, account.id, account.password_hash))

    async def change_password(self, account_id: UUID, password_hash: str) -> None:
        """Changes the password of an account that has an address."""
        await self._connection.execute(_SET_HASH, (password_hash, account_id))

    async def delete(self, account_id: UUID) -> None:
        """Deletes the account with every row that refers to it."""
        await self._connection.execute(_DELETE, (account_id,))

    async def delete_visitor(self, account_id: UUID) -> None:
        """Deletes a visitor that owns nothing."""
        await self._connection.execute(_DELETE_VISITOR, (account_id,))
