"""A job's status as it changes, for a stream to a browser."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from uuid import UUID

from upschedule.processing.job import JobStatus, Status
from upschedule.processing.notices import Notices

# A queued job's position changes without a notice of its own.
_POLL_SECONDS_QUEUED = 1.0
# Only a lost notice makes this matter.
_POLL_SECONDS_PROCESSING = 5.0


class Watches:
    """All open streams of the process; `end` lets each of them finish."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._ended = asyncio.Event()

    def end(self) -> None:
        """For a process that stops: an open stream would hold it back for ever."""
        self._ended.set()
        self._notices.wake_all()

    async def follow(self, job_id: UUID, look: Callable[[], Awaitable[JobStatus]]) -> AsyncGenerator[JobStatus]:
        """The status now and after every change, up to the final one; raises what `look` raises."""
        told: JobStatus | None = None
        with self._notices.watching(job_id) as changed:
            while not self._ended.is_set():
                changed.clear()
                status = await look()
                if status != told:
                    told = status
                    yield status
                if status.is_final:
                    return
                poll_seconds = _POLL_SECONDS_QUEUED if status.status is Status.QUEUED else _POLL_SECONDS_PROCESSING
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), poll_seconds)
