"""Wakes those who wait in the queue when their position has changed: no event announces that."""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from uuid import UUID

import structlog

from upschedule.processing.queue import Queue
from upschedule.stores.errors import StoreError

_log = structlog.get_logger(__name__)

#: Watchers that are woken in one go.
_AT_ONCE = 50


class Watcher:
    """One who waits. `changed` is set with each new position."""

    def __init__(self, job_id: UUID, changed: asyncio.Event) -> None:
        self._job_id = job_id
        self._changed = changed
        self._known: int | None = None
        self._moved = False

    def take(self) -> int | None:
        """The position, if it has changed since the last call and the job is still queued."""
        position = self._known if self._moved else None
        self._moved = False
        return position

    def look(self, positions: Mapping[UUID, int]) -> None:
        """Compares with the last look."""
        position = positions.get(self._job_id)
        if position != self._known:
            self._known, self._moved = position, True
            self._changed.set()


class PositionWatch:
    """Compares the positions of all watched jobs every `pause_seconds`, in one task for the whole process.

    If each watcher looked for itself, two thousand streams would take an eighth of a processor core while nothing
    happens (`python -m perf.many_streams`).
    """

    def __init__(self, queue: Queue, *, pause_seconds: float) -> None:
        self._queue = queue
        self._pause_seconds = pause_seconds
        self._watchers: set[Watcher] = set()
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, job_id: UUID, changed: asyncio.Event) -> Generator[Watcher]:
        """Sets `changed` after the first look at a queued job, and with each change of its position."""
        watcher = Watcher(job_id, changed)
        self._watchers.add(watcher)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_again_and_again(), name="queue-positions")
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def close(self) -> None:
        """Ends the task, which otherwise ends with the last watcher."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look_again_and_again(self) -> None:
        try:
            while self._watchers:
                await asyncio.sleep(self._pause_seconds / 2)
                try:
                    positions = await self._queue.positions()
                except StoreError as error:
                    # The watchers read their rows every few seconds, and learn it there.
                    _log.warning("queue_positions_not_read", reason=error.reason)
                else:
                    await self._compare(positions)
        finally:
            self._looking = None

    async def _compare(self, positions: Mapping[UUID, int]) -> None:
        """Takes half of the pause: thousands that are woken at once would delay all other requests."""
        watchers = list(self._watchers)
        groups = [watchers[first : first + _AT_ONCE] for first in range(0, len(watchers), _AT_ONCE)]
        for group in groups:
            for watcher in group:
                watcher.look(positions)
            await asyncio.sleep(self._pause_seconds / 2 / len(groups))
