"""A job's status as it changes, for a stream to a browser."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Protocol
from uuid import UUID

from upschedule.processing.job import JobStatus, Status
from upschedule.processing.status_events import Notices

# A queued job's position changes without a notice of its own.
_POLL_SECONDS_QUEUED = 1.0
# Only a lost notice makes this matter.
_POLL_SECONDS = 5.0


class Sight(Protocol):
    """How a watcher sees its job."""

    async def look(self) -> JobStatus:
        """What PostgreSQL says."""
        ...

    async def move_up(self, status: JobStatus) -> JobStatus:
        """A queued job's new position, without asking for its row."""
        ...


class Watches:
    """All open streams of the process; `end` lets each of them finish."""

    def __init__(self, notices: Notices, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._notices = notices
        self._monotonic = monotonic
        self._ended = asyncio.Event()

    def end(self) -> None:
        """For a process that stops: an open stream would hold it back for ever."""
        self._ended.set()
        self._notices.wake_all()

    async def follow(self, job_id: UUID, sight: Sight) -> AsyncGenerator[JobStatus]:
        """The status now and after every change, up to the final one; raises what `sight` raises."""
        with self._notices.watching(job_id) as changed:
            status = await sight.look()
            yield status
            looked_at = self._monotonic()
            while not (status.is_final or self._ended.is_set()):
                queued = status.status is Status.QUEUED
                noticed = await _set_within(changed, _POLL_SECONDS_QUEUED if queued else _POLL_SECONDS)
                if noticed or not queued or self._monotonic() - looked_at >= _POLL_SECONDS:
                    looked_at = self._monotonic()
                    seen = await sight.look()
                else:
                    seen = await sight.move_up(status)
                if seen != status:
                    status = seen
                    yield status


async def _set_within(changed: asyncio.Event, seconds: float) -> bool:
    """Whether it was set in time; cleared for the next time."""
    with suppress(TimeoutError):
        await asyncio.wait_for(changed.wait(), seconds)
    noticed = changed.is_set()
    changed.clear()
    return noticed
