"""The time of a request is split by stores, and counted for the request that spends it."""

import asyncio
import time
from contextlib import suppress

from upschedule.spent_time import counting, fields, spent


def test_parts_are_added_up_and_time_outside_of_a_request_is_not_counted() -> None:
    """This includes a part that is used twice."""
    with spent("redis"):
        pass
    with counting() as parts:
        for _ in range(2):
            with spent("redis"):
                time.sleep(0.01)
        with spent("pool"):
            pass

    assert parts.keys() == {"redis", "pool"}
    assert parts["redis"] >= 0.02
    assert fields({"redis": 0.0123, "pool": 1.0}) == {"pool_ms": 1000.0, "redis_ms": 12.3}


async def test_requests_at_once_count_for_themselves_with_the_tasks_that_they_start() -> None:
    """Each request has its own context."""

    async def request(part: str) -> set[str]:
        with counting() as parts:

            async def ask() -> None:
                with spent(part):
                    await asyncio.sleep(0)

            await asyncio.gather(ask(), ask())
            return set(parts)

    assert await asyncio.gather(request("redis"), request("objects")) == [{"redis"}, {"objects"}]


def test_a_part_that_fails_counts() -> None:
    """The slowest answers are those that never arrived."""
    with counting() as parts, suppress(ZeroDivisionError), spent("objects"):
        _ = 1 / 0

    assert "objects" in parts
