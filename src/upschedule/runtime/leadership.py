"""Leader election by an advisory lock in PostgreSQL.

A transaction that stays open holds the lock: behind PgBouncer's transaction mode a session lock would stay with a
connection that PgBouncer gives to others. A leader that ends frees it at once, one that hangs within seconds.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from upschedule.backoff import jittered
from upschedule.metrics import LEADING
from upschedule.stores.database import Connection, Database
from upschedule.stores.deadline import Deadline
from upschedule.stores.errors import StoreError

_log = structlog.get_logger(__name__)

_HEARTBEAT_SECONDS = 2.0
#: After so long without a heartbeat both the server and the process consider the lock lost.
SILENT_SECONDS_MAX = 6.0
# The number of the lock is arbitrary; nothing else uses it.
_TRY_LOCK = """
    SELECT pg_try_advisory_xact_lock(4207000002) AS leading,
           set_config('idle_in_transaction_session_timeout', %(silent)s, true)
"""


class Leadership:
    """Two leaders can overlap for seconds after a network failure, so the work must be safe to do twice."""

    def __init__(self, database: Database, *, again_seconds: float, roll: Callable[[], float] = random.random) -> None:
        """A process that does not lead tries again after `again_seconds`; jitter shortens that by up to a tenth."""
        self._database = database
        self._again_seconds = again_seconds
        self._roll = roll

    async def run_while_leading(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs until cancelled. Starts `lead` whenever this process leads, and cancels it when that ends."""
        while True:
            try:
                async with self._database.renewable_transaction(SILENT_SECONDS_MAX) as (connection, deadline):
                    if await _try_lock(connection):
                        await _while_held(connection, deadline, lead)
            except StoreError as error:
                _log.warning("leadership_unavailable", store=error.store, reason=error.reason)
            await asyncio.sleep(jittered(self._again_seconds, 0.1, self._roll()))


async def _try_lock(connection: Connection) -> bool:
    cursor = await connection.execute(_TRY_LOCK, {"silent": f"{SILENT_SECONDS_MAX:.0f}s"})
    row = await cursor.fetchone()
    return bool(row and row["leading"])


async def _while_held(
    connection: Connection, deadline: Deadline, lead: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    leading = asyncio.create_task(lead())
    _log.info("leading")
    LEADING.set(1)
    try:
        while not leading.done():
            await connection.execute("SELECT 1")
            deadline.renew()
            await asyncio.wait({leading}, timeout=_HEARTBEAT_SECONDS)
        leading.result()
    finally:
        LEADING.set(0)
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        _log.info("no_longer_leading")
