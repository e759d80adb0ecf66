"""Resets a password through a link that is sent to the address of the account."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from upschedule.accounts import credentials
from upschedule.accounts.devices import DeviceRepository
from upschedule.accounts.errors import LinkExpired
from upschedule.accounts.hashing import PasswordHashing
from upschedule.accounts.mailer import Mailer
from upschedule.accounts.repository import AccountRepository
from upschedule.accounts.session_repository import SessionRepository
from upschedule.accounts.sessions import SessionStore
from upschedule.stores.database import Connection, Database
from upschedule.stores.tokens import token_hash

# One statement whether the address has an account or not: neither the answer nor its time may reveal it.
_REQUEST = """
    WITH known AS (SELECT id FROM accounts WHERE email = %(email)s),
    link AS (
        INSERT INTO password_resets (token_hash, account_id, created_at)
        SELECT %(token_hash)s, id, %(now)s FROM known
    )
    INSERT INTO mails (id, kind, email, created_at, due_at)
    SELECT %(mail_id)s, 'reset', %(email)s, %(now)s, %(now)s FROM known
"""
_FIND = """
    SELECT id AS account_id, email FROM password_resets JOIN accounts ON id = account_id
    WHERE token_hash = %(token_hash)s AND password_resets.created_at > %(since)s
"""
# Locks the link, so that it opens once.
_TAKE = "DELETE FROM password_resets WHERE token_hash = %(token_hash)s AND created_at > %(since)s RETURNING account_id"
_DELETE_ALL = "DELETE FROM password_resets WHERE account_id = %(account_id)s"


class _Target(msgspec.Struct, frozen=True, kw_only=True):
    account_id: UUID
    email: str


class PasswordResetRepository:
    """The caller owns the transaction and passes the time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def delete_all(self, account_id: UUID) -> None:
        """Links of the account that were sent and not used."""
        await self._connection.execute(_DELETE_ALL, {"account_id": account_id})


class PasswordResets:
    """Every method may raise StoreError."""

    def __init__(
        self,
        database: Database,
        sessions: SessionStore,
        hashing: PasswordHashing,
        mailer: Mailer,
        *,
        life: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        """`life`: how long a link is valid."""
        self._database = database
        self._sessions = sessions
        self._hashing = hashing
        self._mailer = mailer
        self._life = life
        self._now = now

    async def request(self, email: str) -> None:
        """Sends a link to the address, if it has an account. The outcome does not reveal whether it has."""
        mail_id, hashed = self._mailer.new_link()
        values = {
            "email": credentials.normalised_email(email),
            "token_hash": hashed,
            "mail_id": mail_id,
            "now": self._now(),
        }
        async with self._database.transaction() as connection:
            await connection.execute(_REQUEST, values)
        self._mailer.wake()

    async def address(self, token: str) -> str:
        """The address of the account that the link belongs to. Raises LinkExpired."""
        return (await self._target(token)).email

    async def reset(self, token: str, password: str) -> None:
        """Ends all sessions and forgets all devices: another person may have known the old password.

        Raises LinkExpired, InvalidCredentials, SignInBusy.
        """
        target = await self._target(token)
        password = credentials.normalised_password(password)
        credentials.check_password(target.email, password)
        password_hash = await self._hashing.hash(password)
        async with self._database.transaction() as connection:
            cursor = await connection.execute(_TAKE, self._values(token))
            if await cursor.fetchone() is None:
                raise LinkExpired
            await AccountRepository(connection).change_password(target.account_id, password_hash)
            await PasswordResetRepository(connection).delete_all(target.account_id)
            await DeviceRepository(connection).forget(target.account_id)
            ended = await SessionRepository(connection).end_all(target.account_id, self._now())
        await self._sessions.invalidate(ended)

    async def _target(self, token: str) -> _Target:
        async with self._database.transaction() as connection:
            row = await (await connection.execute(_FIND, self._values(token))).fetchone()
        if row is None:
            raise LinkExpired
        return msgspec.convert(row, _Target)

    def _values(self, token: str) -> dict[str, object]:
        return {"token_hash": token_hash(token), "since": self._now() - self._life}
