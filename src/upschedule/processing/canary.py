"""Handles wake-up messages in a canary that takes a share of the documents."""

import asyncio
import random
from collections.abc import Callable
from uuid import UUID

from upschedule.backoff import Backoff
from upschedule.metrics import CANARY_MESSAGES
from upschedule.processing.canary_share import CanaryShare
from upschedule.processing.doorbell import Doorbell
from upschedule.processing.runner import Runner

# Gives a free worker the time to take the message. While all others are busy, the canary receives its own message again
# and again, so the pause grows.
_PAUSE = Backoff(base_seconds=0.05, max_seconds=0.5)


class Canary:
    """Calls `share` for each message, because the gate raises the share while the canary runs."""

    def __init__(
        self,
        runner: Runner,
        doorbell: Doorbell,
        counts: CanaryShare,
        *,
        share: Callable[[], float],
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._runner = runner
        self._doorbell = doorbell
        self._counts = counts
        self._share = share
        self._roll = roll
        self._passed_on = 0

    async def hear(self, job_id: UUID) -> None:
        """Runs one job, or sends the message again, so that a worker of the previous release claims the job at once."""
        if await self._counts.claims(self._share()):
            self._passed_on = 0
            # A claimed job counts even if its run fails: a canary that stores no results must not exceed its share.
            if await self._runner.run_one():
                self._counts.count_claim()
                CANARY_MESSAGES.labels(outcome="claimed").inc()
            return
        await self._doorbell.ring(job_id)
        CANARY_MESSAGES.labels(outcome="passed-on").inc()
        self._passed_on += 1
        await asyncio.sleep(_PAUSE.pause_seconds(self._passed_on, self._roll()))
