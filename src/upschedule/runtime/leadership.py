"""One of many processes leads, by an advisory lock in PostgreSQL.

The lock belongs to a transaction that stays open: behind PgBouncer's transaction mode a lock of the session would stay
with a connection that others are given next. A leader that ends lets go at once, one that hangs within seconds.
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

_BEAT_SECONDS = 2.0
#: After so long without a beat both the server and the process itself take the lock for lost.
SILENT_SECONDS_MAX = 6.0
# The number is arbitrary and used for nothing else.
_TAKE = """
    SELECT pg_try_advisory_xact_lock(4207000002) AS leading,
           set_config('idle_in_transaction_session_timeout', %(silent)s, true)
"""


class Leadership:
    """Two leaders can overlap for seconds where the network is cut: what they do must be right when done twice."""

    def __init__(self, database: Database, *, again_seconds: float, roll: Callable[[], float] = random.random) -> None:
        """`again_seconds`: how often one that does not lead asks again; jitter shortens it by up to a tenth."""
        self._database = database
        self._again_seconds = again_seconds
        self._roll = roll

    async def work(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Until cancelled: `lead` runs whenever this process leads, and is cancelled when that ends."""
        while True:
            try:
                async with self._database.renewable_transaction(SILENT_SECONDS_MAX) as (connection, deadline):
                    if await _taken(connection):
                        await _while_held(connection, deadline, lead)
            except StoreError as error:
                _log.warning("leadership_unavailable", store=error.store, reason=error.reason)
            await asyncio.sleep(jittered(self._again_seconds, 0.1, self._roll()))


async def _taken(connection: Connection) -> bool:
    cursor = await connection.execute(_TAKE, {"silent": f"{SILENT_SECONDS_MAX:.0f}s"})
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
            await asyncio.wait({leading}, timeout=_BEAT_SECONDS)
        leading.result()
    finally:
        LEADING.set(0)
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        _log.info("no_longer_leading")
