"""The queue: a taskiq broker on a Redis Stream that survives restarts of Redis, unlike the one of taskiq-redis.

Messages may still be lost at any time; the sender must be able to send one again.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from taskiq import AckableMessage
from taskiq_redis import RedisStreamBroker

from upschedule.backoff import Backoff
from upschedule.stores.cancelling import never_lose_cancellations
from upschedule.stores.redis import retry_once

_log = structlog.get_logger(__name__)

_RECONNECT = Backoff(base_seconds=0.1, max_seconds=5.0)
_ACKNOWLEDGE_AGAIN = Backoff(base_seconds=0.1, max_seconds=0.4, jitter=1)
_GROUP_AGAIN_SECONDS = 0.1
_ACK_TRIES = 3
# Workers acknowledge a message at once. An older pending one was abandoned by its worker.
_ABANDONED_SECONDS = 60.0


_Entry = tuple[str, bytes]
_StreamEntry = tuple[bytes, dict[bytes, bytes]]


class StreamName(msgspec.Struct, frozen=True, kw_only=True):
    """A stream and the consumer group that reads it."""

    stream: str
    group: str


class StreamBroker(RedisStreamBroker):
    """Continues after Redis was unavailable, restarted or lost the group.

    Never fetches more messages than it can handle.
    """

    def __init__(
        self,
        url: str,
        *,
        name: StreamName,
        messages_max: int,
        command_seconds: float,
        connections_max: int,
        roll: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            url,
            queue_name=name.stream,
            consumer_group_name=name.group,
            # From the beginning: messages sent before the first worker started are delivered, too.
            consumer_id="0",
            max_connection_pool_size=connections_max,
            # A blocking read must be shorter than the socket timeout, or the server would look dead.
            xread_block=int(command_seconds * 500),
            xread_count=1,
            maxlen=messages_max,
            approximate=True,
            socket_timeout=command_seconds,
            socket_connect_timeout=command_seconds,
            socket_keepalive=True,
            retry=retry_once(),
        )
        never_lose_cancellations(self.connection_pool)
        self._roll = roll
        self._monotonic = monotonic
        self._claim_abandoned_at = 0.0

    async def startup(self) -> None:
        """Does not need Redis: the group is created when a read finds it missing."""
        await super(RedisStreamBroker, self).startup()

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Yields messages without end.

        Leaves a message for an unknown task to workers of newer releases, which know it.
        """
        failures = 0
        while True:
            try:
                entry = await self._next_entry()
                failures = 0
            except (RedisError, OSError) as error:
                _log.warning("queue_away", reason=type(error).__name__)
                failures += 1
                await asyncio.sleep(_RECONNECT.pause_seconds(failures, self._roll()))
                continue
            if entry is not None and await self._is_ours(*entry):
                yield AckableMessage(data=entry[1], ack=self._ack_generator(entry[0], self.queue_name))

    def _ack_generator(self, id: str, queue_name: str) -> Callable[[], Awaitable[None]]:  # noqa: A002 - taskiq's name
        del queue_name

        async def acknowledge() -> None:
            await self._acknowledge(id)

        return acknowledge

    async def _next_entry(self) -> _Entry | None:
        async with Redis(connection_pool=self.connection_pool) as redis:
            try:
                return await self._abandoned(redis) or await self._new(redis)
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                await self._declare_consumer_group()
                # Without a pause this would loop at full speed while the group cannot be created.
                await asyncio.sleep(_GROUP_AGAIN_SECONDS)
                return None

    async def _new(self, redis: Redis) -> _Entry | None:
        fetched: Any = await redis.xreadgroup(
            self.consumer_group_name, self.consumer_name, {self.queue_name: ">"}, count=1, block=self.block
        )
        return _first(fetched[0][1]) if fetched else None

    async def _abandoned(self, redis: Redis) -> _Entry | None:
        """A message that a worker fetched before it died, or that an older release did not know.

        Searched for twice a minute.
        """
        if self._monotonic() < self._claim_abandoned_at:
            return None
        self._claim_abandoned_at = self._monotonic() + _ABANDONED_SECONDS / 2
        _, entries, _ = await redis.xautoclaim(
            self.queue_name,
            self.consumer_group_name,
            self.consumer_name,
            min_idle_time=int(_ABANDONED_SECONDS * 1000),
            count=1,
        )
        return _first(entries)

    async def _is_ours(self, entry_id: str, data: bytes) -> bool:
        task_name = self._task_name(data)
        if task_name is None:
            _log.error("queue_message_unreadable", entry_id=entry_id)
            await self._acknowledge(entry_id)
            return False
        if self.find_task(task_name) is None:
            _log.warning("queue_task_unknown", task_name=task_name, entry_id=entry_id)
            return False
        return True

    def _task_name(self, data: bytes) -> str | None:
        try:
            return self.formatter.loads(message=data).task_name
        except Exception:  # noqa: BLE001 - a formatter may raise any error; then this is not a message
            return None

    async def _acknowledge(self, entry_id: str) -> None:
        """Acknowledges and deletes the message. Gives up after some attempts: retention removes what remains."""
        async with Redis(connection_pool=self.connection_pool) as redis:
            for attempt in range(1, _ACK_TRIES + 1):
                try:
                    async with redis.pipeline(transaction=True) as pipeline:
                        pipeline.xack(self.queue_name, self.consumer_group_name, entry_id)
                        pipeline.xdel(self.queue_name, entry_id)
                        await pipeline.execute()
                except RedisError as error:
                    _log.warning("queue_not_acknowledged", entry_id=entry_id, reason=type(error).__name__)
                    await asyncio.sleep(_ACKNOWLEDGE_AGAIN.pause_seconds(attempt, self._roll()))
                else:
                    return


def _first(entries: list[_StreamEntry]) -> _Entry | None:
    for entry_id, fields in entries:
        return entry_id.decode(), fields.get(b"data", b"")
    return None
