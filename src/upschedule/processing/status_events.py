"""Tells every process that a job's status changed, through Redis Pub/Sub. A lost message only delays a watcher."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis

from upschedule.backoff import Backoff
from upschedule.processing.job import Job
from upschedule.processing.status_cache import StatusCache
from upschedule.stores.errors import StoreError, StoreUnavailable
from upschedule.stores.redis import store_errors

_log = structlog.get_logger(__name__)

_STORE = "redis-cache"
_CHANNEL = "job-notices"
_PUBLISH_SECONDS_MAX = 0.25
# After this time without a message the subscription sends a ping; without a pong in the same time the connection is
# dead.
_SILENCE_SECONDS_MAX = 5.0
_RECONNECT = Backoff(base_seconds=0.2, max_seconds=5.0)


class StatusBroadcaster:
    """Updates the cached status and publishes each change; one subscription per process serves all its watchers.

    Call `changed` and `removed` after the commit. They never raise StoreError: what fails there only delays.
    """

    def __init__(self, redis: Redis, cache: StatusCache, *, roll: Callable[[], float] = random.random) -> None:
        # Untyped, because the client leaves half of these methods' types unknown.
        self._redis: Any = redis
        self._cache = cache
        self._roll = roll
        self._watchers: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._listening: asyncio.Task[None] | None = None

    async def changed(self, job: Job) -> None:
        """The row of `job` has changed to this version (R4.5)."""
        await self._cache.put(job)
        await self._publish(job.id)

    async def removed(self, job_id: UUID) -> None:
        """The row has been deleted."""
        await self._cache.forget(job_id)
        await self._publish(job_id)

    def start(self) -> None:
        """Subscribes in the background until `close`; only a process with watchers needs it."""
        self._listening = asyncio.create_task(self._listen(), name="status-events")

    async def close(self) -> None:
        """Ends the subscription."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None

    @contextmanager
    def watching(self, job_id: UUID) -> Generator[asyncio.Event]:
        """An event that is set when the job may have changed; several changes may set it once."""
        changed = asyncio.Event()
        self._watchers[job_id].add(changed)
        try:
            yield changed
        finally:
            self._watchers[job_id].discard(changed)
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    def wake_all(self) -> None:
        """Makes every watcher read its job again."""
        for watchers in self._watchers.values():
            for changed in watchers:
                changed.set()

    async def _publish(self, job_id: UUID) -> None:
        try:
            with store_errors(_STORE):
                async with asyncio.timeout(_PUBLISH_SECONDS_MAX):
                    await self._redis.publish(_CHANNEL, job_id.bytes)
        except StoreError as error:
            _log.warning("status_event_not_sent", job_id=str(job_id), reason=error.reason)

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    with store_errors(_STORE):
                        await subscription.subscribe(_CHANNEL)
                        self.wake_all()
                        failures = 0
                        await self._fan_out(subscription)
            except StoreError as error:
                _log.warning("status_events_interrupted", reason=error.reason)
                failures += 1
                await asyncio.sleep(_RECONNECT.pause_seconds(failures, self._roll()))

    async def _fan_out(self, subscription: Any) -> None:
        pinged = False
        while True:
            message = await subscription.get_message(ignore_subscribe_messages=False, timeout=_SILENCE_SECONDS_MAX)
            if message is None and pinged:
                raise StoreUnavailable(_STORE, "no pong")
            pinged = message is None
            if message is None:
                await subscription.ping()
            elif message["type"] == "message":
                self._wake(message["data"])

    def _wake(self, data: bytes) -> None:
        if len(data) == 16:  # noqa: PLR2004 - a UUID's bytes; other messages are not ours
            for changed in self._watchers.get(UUID(bytes=data), ()):
                changed.set()
