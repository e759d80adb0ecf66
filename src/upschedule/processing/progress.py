"""Stores and announces how many pages a run has read, at most four times a second."""

import time
from collections.abc import Callable

from upschedule.processing.job import Job
from upschedule.processing.runs import RunRepository
from upschedule.processing.status_events import StatusBroadcaster
from upschedule.stores.database import Database
from upschedule.stores.errors import StoreError

_PAUSE_SECONDS = 0.25


class JobProgress:
    """The progress of one run. A short run reports none: its result arrives first."""

    def __init__(
        self,
        job: Job,
        database: Database,
        broadcaster: StatusBroadcaster,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job = job
        self._database = database
        self._broadcaster = broadcaster
        self._monotonic = monotonic
        self._reported_at = monotonic()

    async def report(self, pages_read: int, pages: int) -> None:
        """Swallows StoreError: losing a progress update must not fail the run."""
        if self._monotonic() - self._reported_at < _PAUSE_SECONDS:
            return
        self._reported_at = self._monotonic()
        try:
            async with self._database.transaction() as connection:
                job = await RunRepository(connection).progress(self._job, pages_read=pages_read, pages=pages)
        except StoreError:
            return
        if job:
            await self._broadcaster.changed(job)
