"""Renews a lease in PostgreSQL while work goes on, and cancels the work once the lease may be lost (R2.3)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from upschedule.stores.errors import StoreError

T = TypeVar("T")

_AGAIN_SECONDS = 0.5


class LeaseTimes(Protocol):
    """The part of a settings group that describes a lease."""

    @property
    def lease_seconds(self) -> float:
        """The time without a renewal after which the lease is lost."""
        ...

    @property
    def heartbeat_seconds(self) -> float:
        """How often the lease is renewed."""
        ...


class LeaseLost(Exception):
    """Another process may own the work by now; what this one has done since must be dropped."""


async def while_held(
    work: Coroutine[Any, Any, T],
    renew: Callable[[], Awaitable[bool]],
    times: LeaseTimes,
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> T:
    """The result of `work`. Cancels it and raises LeaseLost once `renew` returns False or does not answer in time."""
    working = asyncio.create_task(work)
    beating = asyncio.create_task(_beat(renew, times, monotonic))
    try:
        await asyncio.wait({working, beating}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        beating.result()
        raise LeaseLost
    finally:
        working.cancel()
        beating.cancel()
        await asyncio.gather(working, beating, return_exceptions=True)


async def _beat(renew: Callable[[], Awaitable[bool]], times: LeaseTimes, monotonic: Callable[[], float]) -> None:
    """Returns when the lease is lost."""
    held_until = monotonic() + times.lease_seconds
    pause_seconds = times.heartbeat_seconds
    while True:
        await asyncio.sleep(pause_seconds)
        asked_at = monotonic()
        try:
            async with asyncio.timeout(held_until - asked_at):
                if not await renew():
                    return
        except (StoreError, TimeoutError):
            if monotonic() >= held_until:
                return
            pause_seconds = min(_AGAIN_SECONDS, times.heartbeat_seconds)
        else:
            held_until = asked_at + times.lease_seconds
            pause_seconds = times.heartbeat_seconds
