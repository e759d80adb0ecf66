"""Notices that a job changed: one subscription a process, fanned out to whoever watches. A lost one only delays."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis

from upschedule.stores.errors import StoreError, StoreUnavailable
from upschedule.stores.redis import translated

_log = structlog.get_logger(__name__)

_STORE = "redis-cache"
_CHANNEL = "job-notices"
_SEND_SECONDS = 0.25
# Silence for so long is answered by a ping, and no pong in the same time means that the line is dead.
_SILENCE_SECONDS = 5.0
_PAUSE_SECONDS_BASE = 0.2
_PAUSE_SECONDS_MAX = 5.0


class Notices:
    """`watching` gives an event that is set whenever the job may have changed; several changes are one."""

    def __init__(self, redis: Redis, *, roll: Callable[[], float] = random.random) -> None:
        # Untyped, for the client leaves half of these methods' types unknown.
        self._redis: Any = redis
        self._roll = roll
        self._watchers: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._listening: asyncio.Task[None] | None = None

    async def send(self, job_id: UUID) -> None:
        """Does not raise: watchers look by themselves every few seconds."""
        try:
            with translated(_STORE):
                async with asyncio.timeout(_SEND_SECONDS):
                    await self._redis.publish(_CHANNEL, job_id.bytes)
        except StoreError as error:
            _log.warning("notice_not_sent", job_id=str(job_id), reason=error.reason)

    def start(self) -> None:
        """Begins to listen; `close` ends it."""
        self._listening = asyncio.create_task(self._listen(), name="job-notices")

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None

    @contextmanager
    def watching(self, job_id: UUID) -> Generator[asyncio.Event]:
        changed = asyncio.Event()
        self._watchers[job_id].add(changed)
        try:
            yield changed
        finally:
            self._watchers[job_id].discard(changed)
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    def wake_all(self) -> None:
        """Every watcher looks again."""
        for watchers in self._watchers.values():
            for changed in watchers:
                changed.set()

    async def _listen(self) -> None:
        pause_seconds = _PAUSE_SECONDS_BASE
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    with translated(_STORE):
                        await subscription.subscribe(_CHANNEL)
                        self.wake_all()
                        pause_seconds = _PAUSE_SECONDS_BASE
                        await self._fan_out(subscription)
            except StoreError as error:
                _log.warning("notices_lost", reason=error.reason)
                await asyncio.sleep(pause_seconds * (0.5 + self._roll() / 2))
                pause_seconds = min(2 * pause_seconds, _PAUSE_SECONDS_MAX)

    async def _fan_out(self, subscription: Any) -> None:
        pinged = False
        while True:
            message = await subscription.get_message(ignore_subscribe_messages=False, timeout=_SILENCE_SECONDS)
            if message is None and pinged:
                raise StoreUnavailable(_STORE, "no pong")
            pinged = message is None
            if message is None:
                await subscription.ping()
            elif message["type"] == "message":
                self._wake(message["data"])

    def _wake(self, data: bytes) -> None:
        if len(data) == 16:  # noqa: PLR2004 - a UUID's bytes; anything else is not ours
            for changed in self._watchers.get(UUID(bytes=data), ()):
                changed.set()
