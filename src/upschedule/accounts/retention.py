"""Removes sessions that have ended, sign-ups without a sign-in, and devices that were not used for too long."""

from collections.abc import Callable
from datetime import datetime

from upschedule.accounts.device_repository import DeviceRepository
from upschedule.accounts.logins import SignInLives
from upschedule.accounts.session_cache import SessionCache
from upschedule.accounts.session_repository import SessionLives, SessionRepository
from upschedule.accounts.sign_up_repository import SignUpRepository
from upschedule.stores.database import Database
from upschedule.stores.retention import remove_part

_ROWS_MAX = 500


class AccountRetention:
    """One process cleans up, the scheduler that leads; two at once do no harm."""

    def __init__(
        self,
        database: Database,
        cache: SessionCache,
        *,
        lives: SessionLives,
        sign_in_lives: SignInLives,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._cache = cache
        self._lives = lives
        self._sign_in_lives = sign_in_lives
        self._now = now

    async def remove_old(self) -> None:
        """One pass, bounded in size; what is left over, or cannot be removed now, is found by the next."""
        await remove_part("sessions", self._remove_sessions)
        await remove_part("sign-ups", self._remove_sign_ups)
        await remove_part("devices", self._remove_devices)

    async def _remove_sessions(self) -> int:
        """Redis first: the previous release's key would bring a session back whose row is gone."""
        now = self._now()
        async with self._database.transaction() as connection:
            over = await SessionRepository(connection).over(self._lives, now, rows_max=_ROWS_MAX)
        if not over:
            return 0
        await self._cache.forget_previous(over)
        async with self._database.transaction() as connection:
            return await SessionRepository(connection).remove(over, self._lives, now)

    async def _remove_sign_ups(self) -> int:
        until = self._now() - self._sign_in_lives.sign_up
        async with self._database.transaction() as connection:
            return await SignUpRepository(connection).remove(until=until, rows_max=_ROWS_MAX)

    async def _remove_devices(self) -> int:
        until = self._now() - self._sign_in_lives.device
        async with self._database.transaction() as connection:
            return await DeviceRepository(connection).remove(until=until, rows_max=_ROWS_MAX)
