"""Leader election by a lease in PostgreSQL, taken and renewed by short transactions.

A transaction that stayed open would keep PgBouncer from an orderly stop, and a lock of the session would stay with a
connection that PgBouncer gives to others (docs/decisions/0019-leadership-by-lease.md).
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, LiteralString

import structlog

from upschedule.backoff import jittered
from upschedule.metrics import LEADING
from upschedule.settings import SchedulerSettings
from upschedule.stores.database import Database
from upschedule.stores.errors import StoreError
from upschedule.stores.lease import LeaseLost, while_held

_log = structlog.get_logger(__name__)

# Times are the database's, because clocks of processes may differ. The last column of each RETURNING ends a
# transaction whose process hangs before the commit, so that its row lock does not keep the next leader waiting.
_TAKE = """
    UPDATE leaderships SET term = term + 1, held_until = now() + %(lease_seconds)s * interval '1 second'
    WHERE name = 'scheduler' AND held_until <= now()
    RETURNING term, set_config('idle_in_transaction_session_timeout', %(milliseconds)s, true)
"""
_RENEW = """
    UPDATE leaderships SET held_until = now() + %(lease_seconds)s * interval '1 second'
    WHERE name = 'scheduler' AND term = %(term)s
    RETURNING term, set_config('idle_in_transaction_session_timeout', %(milliseconds)s, true)
"""


class Leadership:
    """Two leaders can overlap for seconds after a network failure, so the work must be safe to do twice."""

    def __init__(
        self,
        database: Database,
        settings: SchedulerSettings,
        *,
        again_seconds: float,
        roll: Callable[[], float] = random.random,
    ) -> None:
        """A process that does not lead tries again after `again_seconds`; jitter shortens that by up to a tenth."""
        self._database = database
        self._settings = settings
        self._again_seconds = again_seconds
        self._roll = roll

    async def run_while_leading(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs until cancelled. Starts `lead` whenever this process leads, and cancels it when that ends."""
        while True:
            try:
                term = await self._execute(_TAKE, lease_seconds=self._settings.lease_seconds)
                if term is not None:
                    await self._lead(term, lead)
            except StoreError as error:
                _log.warning("leadership_unavailable", store=error.store, reason=error.reason)
            await asyncio.sleep(jittered(self._again_seconds, 0.1, self._roll()))

    async def _lead(self, term: int, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        _log.info("leading", term=term)
        LEADING.set(1)
        try:
            await while_held(lead(), partial(self._renew, term), self._settings)
        except LeaseLost:
            _log.warning("leadership_lost", term=term)
        finally:
            LEADING.set(0)
            await self._give_up(term)
            _log.info("no_longer_leading", term=term)

    async def _renew(self, term: int) -> bool:
        return await self._execute(_RENEW, term=term, lease_seconds=self._settings.lease_seconds) is not None

    async def _give_up(self, term: int) -> None:
        """Lets another process lead at once; without PostgreSQL it does so when the lease ends."""
        try:
            async with asyncio.timeout(self._settings.heartbeat_seconds):
                await self._execute(_RENEW, term=term, lease_seconds=0)
        except (StoreError, TimeoutError) as error:
            _log.warning("lease_not_given_up", reason=type(error).__name__)

    async def _execute(self, statement: LiteralString, **values: float) -> int | None:
        """The term; None if the statement changed nothing."""
        seconds = self._settings.heartbeat_seconds
        milliseconds = f"{seconds * 1000:.0f}"
        async with self._database.transaction(seconds=seconds) as connection:
            cursor = await connection.execute(statement, values | {"milliseconds": milliseconds})
            row = await cursor.fetchone()
        return row["term"] if row else None
