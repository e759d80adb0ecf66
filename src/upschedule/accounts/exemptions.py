"""Accounts that operators have exempted from limits. Only the scheduler may write them (`processing/operators/`)."""

import time
from collections.abc import Callable
from uuid import UUID

import structlog

from upschedule.stores.database import Database
from upschedule.stores.errors import StoreError

_log = structlog.stdlib.get_logger("upschedule.accounts")

#: A change by an operator takes effect within this time.
FRESH_SECONDS = 2.0
_ANSWER_SECONDS = 2.0
_FIND = "SELECT account_id FROM exempt_accounts"


class Exemptions:
    """One instance for each process. It asks PostgreSQL at most once in `FRESH_SECONDS`, so limits stay cheap."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._exempt: frozenset[UUID] = frozenset()
        self._ask_at = float("-inf")

    async def cover(self, account_id: UUID) -> bool:
        """Raises nothing: while PostgreSQL does not answer, the last known exemptions apply."""
        if self._monotonic() >= self._ask_at:
            # Set before the query, so that concurrent requests neither repeat it nor wait for it.
            self._ask_at = self._monotonic() + FRESH_SECONDS
            await self._refresh()
        return account_id in self._exempt

    async def _refresh(self) -> None:
        try:
            async with self._database.transaction(seconds=_ANSWER_SECONDS) as connection:
                rows = await (await connection.execute(_FIND)).fetchall()
        except StoreError as error:
            _log.warning("exemptions_not_read", reason=error.reason)
            return
        self._exempt = frozenset(row["account_id"] for row in rows)
