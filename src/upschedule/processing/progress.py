"""Pages read, told to whoever watches, but not more often than anybody can look."""

import time
from collections.abc import Callable

from upschedule.processing.job import Job
from upschedule.processing.runs import RunRepository
from upschedule.processing.status_events import StatusBroadcaster
from upschedule.stores.database import Database
from upschedule.stores.errors import StoreError

_PAUSE_SECONDS = 0.25


class JobProgress:
    """Of one run. A short run reports nothing: its result comes sooner than a progress would be seen."""

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
        self._told_at = monotonic()

    async def report(self, pages_read: int, pages: int) -> None:
        """Never raises for a store that is away: progress is worth no run."""
        if self._monotonic() - self._told_at < _PAUSE_SECONDS:
            return
        self._told_at = self._monotonic()
        try:
            async with self._database.transaction() as connection:
                job = await RunRepository(connection).progress(self._job, pages_read=pages_read, pages=pages)
        except StoreError:
            return
        if job:
            await self._broadcaster.changed(job)
