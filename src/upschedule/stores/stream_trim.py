"""Removes old messages and silent consumers from a stream."""

import time
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from upschedule.stores.redis import store_errors
from upschedule.stores.stream import StreamName

_PENDING_MAX = 1_000


async def trim(
    redis: Redis, name: StreamName, *, older_than_seconds: float, now: Callable[[], float] = time.time
) -> int:
    """Removes messages of that age, delivered or not (R2.4), and consumers silent for as long.

    Returns the number of messages. Raises StoreError. The clock of the Redis server dates a message.
    """
    age_milliseconds = int(older_than_seconds * 1000)
    oldest = max(0, int(now() * 1000) - age_milliseconds)
    with store_errors("redis-state"):
        trimmed = int(await redis.xtrim(name.stream, minid=str(oldest), approximate=False))
        try:
            await _forget_deliveries(redis, name, age_milliseconds)
            await _forget_consumers(redis, name, age_milliseconds)
        except ResponseError as error:
            if "NOGROUP" not in str(error) and "no such key" not in str(error):
                raise
    return trimmed


async def _forget_deliveries(redis: Redis, name: StreamName, age_milliseconds: int) -> None:
    pending = await redis.xpending_range(
        name.stream, name.group, min="-", max="+", count=_PENDING_MAX, idle=age_milliseconds
    )
    if pending:
        await redis.xack(name.stream, name.group, *[entry["message_id"] for entry in pending])


async def _forget_consumers(redis: Redis, name: StreamName, age_milliseconds: int) -> None:
    for consumer in await redis.xinfo_consumers(name.stream, name.group):
        if consumer["idle"] > age_milliseconds:
            await redis.xgroup_delconsumer(name.stream, name.group, consumer["name"])
