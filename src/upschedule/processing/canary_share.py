"""Decides for which wake-up messages a canary claims a job, so that it reads a given share of the documents."""

import random
import time
from collections.abc import Callable
from datetime import datetime

import structlog

from upschedule.stores.database import Database
from upschedule.stores.errors import StoreError

_log = structlog.get_logger(__name__)

_FRESH_SECONDS = 0.5
#: Claims and readings are counted anew after this time, so that a canary does not catch up after a pause without work.
_WINDOW_SECONDS = 300.0
_FINISHED = """
    SELECT count(*) AS finished, now() AS now FROM jobs WHERE finished_at > coalesce(%(since)s::timestamptz, now())
"""


def claims_next(*, share: float, claimed: int, finished: int, roll: float) -> bool:
    """Whether a canary that claimed `claimed` jobs while `finished` documents were read claims one more; 0 <= roll < 1.

    A canary receives only some of the messages, and how many depends on how many workers are free. So what it lacks of
    its share decides, and not the share alone: its claims stay within about one of the share.
    """
    return roll < share * (finished + 1) - claimed


class CanaryShare:
    """Counts the documents of one canary."""

    def __init__(
        self,
        database: Database,
        *,
        roll: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._roll = roll
        self._monotonic = monotonic
        self._share = 0.0
        self._claimed = 0
        self._finished = 0
        self._since: datetime | None = None
        self._began_at = self._counted_at = float("-inf")

    async def claims(self, share: float) -> bool:
        """Whether the canary claims a job for the message that it has just received. False without PostgreSQL."""
        now = self._monotonic()
        if share != self._share or now - self._began_at > _WINDOW_SECONDS:
            self._share, self._claimed, self._finished, self._since = share, 0, 0, None
            self._began_at, self._counted_at = now, float("-inf")
        try:
            if now - self._counted_at > _FRESH_SECONDS:
                await self._count()
                self._counted_at = now
        except StoreError as error:
            _log.warning("canary_share_unknown", reason=error.reason)
            return False
        return claims_next(share=share, claimed=self._claimed, finished=self._finished, roll=self._roll())

    def count_claim(self) -> None:
        """The canary has claimed a job."""
        self._claimed += 1

    async def _count(self) -> None:
        async with self._database.transaction() as connection:
            row = await (await connection.execute(_FINISHED, {"since": self._since})).fetchone()
        if row:
            self._finished, self._since = row["finished"], self._since or row["now"]
