"""Removes sessions that have ended."""

from collections.abc import Callable
from datetime import datetime

import structlog

from upschedule.accounts.session_cache import SessionCache
from upschedule.accounts.session_repository import SessionLives, SessionRepository
from upschedule.metrics import RETENTION_REMOVED
from upschedule.stores.database import Database
from upschedule.stores.errors import StoreError

_log = structlog.get_logger(__name__)

_ROWS_MAX = 500


class AccountRetention:
    """One process cleans up, the scheduler that leads; two at once do no harm."""

    def __init__(
        self, database: Database, cache: SessionCache, *, lives: SessionLives, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._cache = cache
        self._lives = lives
        self._now = now

    async def remove_old(self) -> None:
        """One pass, bounded in size; what is left over, or cannot be removed now, is found by the next."""
        try:
            removed = await self._remove_sessions()
        except StoreError as error:
            _log.warning("retention_interrupted", kind="sessions", store=error.store, reason=error.reason)
            return
        RETENTION_REMOVED.labels(kind="sessions").inc(removed)
        if removed:
            _log.info("retention_removed", kind="sessions", count=removed)

    async def _remove_sessions(self) -> int:
        """Redis first: the previous release's key would bring a session back whose row is gone."""
        now = self._now()
        async with self._database.transaction() as connection:
            over = await SessionRepository(connection).over(self._lives, now, rows_max=_ROWS_MAX)
        if not over:
            return 0
        await self._cache.forget(over)
        async with self._database.transaction() as connection:
            return await SessionRepository(connection).remove(over, self._lives, now)
