"""Deletes ended sessions, sign-ups and links that were not used, and devices and accounts unused for too long."""

from collections.abc import Callable
from datetime import datetime, timedelta

from psycopg import sql

from upschedule.accounts.logins import SignInLives
from upschedule.accounts.session_cache import SessionCache
from upschedule.accounts.session_repository import SessionLives, SessionRepository
from upschedule.stores.database import Database
from upschedule.stores.retention import remove_part

_ROWS_MAX = 500
# Selects by time alone: the scheduler's role may not read the other columns of these tables.
_DELETE_OLDEST = """
    DELETE FROM {table} WHERE {column} <= (
        SELECT max({column}) FROM (
            SELECT {column} FROM {table} WHERE {column} <= %(until)s ORDER BY {column} LIMIT %(rows_max)s
        ) AS oldest
    )
"""
_DELETE_UNUSED = "SELECT delete_unused_accounts(%(unused_since)s, %(rows_max)s) AS deleted"


class AccountRetention:
    """Runs in the leading scheduler. Two processes at once do no harm."""

    def __init__(
        self,
        database: Database,
        cache: SessionCache,
        *,
        lives: SessionLives,
        sign_in_lives: SignInLives,
        unused: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._cache = cache
        self._lives = lives
        self._sign_in_lives = sign_in_lives
        self._unused = unused
        self._now = now

    async def remove_old(self) -> None:
        """One pass of bounded size; the next pass finds the rest."""
        await remove_part("sessions", self._remove_sessions)
        await remove_part("sign-ups", self._remove_sign_ups)
        await remove_part("devices", self._remove_devices)
        await remove_part("password-resets", self._remove_resets)
        await remove_part("mails", self._remove_mails)
        await remove_part("accounts", self._remove_unused)

    async def _remove_sessions(self) -> int:
        """Deletes from Redis first: the previous release's key would bring back a session whose row is gone."""
        now = self._now()
        async with self._database.transaction() as connection:
            ended = await SessionRepository(connection).ended(self._lives, now, rows_max=_ROWS_MAX)
        if not ended:
            return 0
        await self._cache.delete_previous(ended)
        async with self._database.transaction() as connection:
            return await SessionRepository(connection).delete_ended(ended, self._lives, now)

    async def _remove_sign_ups(self) -> int:
        return await self._delete_oldest("sign_ups", "created_at", self._now() - self._sign_in_lives.sign_up)

    async def _remove_devices(self) -> int:
        return await self._delete_oldest("devices", "used_at", self._now() - self._sign_in_lives.device)

    async def _remove_resets(self) -> int:
        return await self._delete_oldest("password_resets", "created_at", self._now() - self._sign_in_lives.reset)

    async def _remove_mails(self) -> int:
        """Messages that no process sends any more: what their links open is gone by then."""
        return await self._delete_oldest("mails", "created_at", self._now() - self._sign_in_lives.sign_up)

    async def _remove_unused(self) -> int:
        """Accounts without a visit or a request of their feed, with all that was read for them."""
        values = {"unused_since": self._now() - self._unused, "rows_max": _ROWS_MAX}
        async with self._database.transaction() as connection:
            row = await (await connection.execute(_DELETE_UNUSED, values)).fetchone()
        return int(row["deleted"]) if row else 0

    async def _delete_oldest(self, table: str, column: str, until: datetime) -> int:
        statement = sql.SQL(_DELETE_OLDEST).format(table=sql.Identifier(table), column=sql.Identifier(column))
        async with self._database.transaction() as connection:
            return (await connection.execute(statement, {"until": until, "rows_max": _ROWS_MAX})).rowcount
