"""Pings dependencies and reports whether each answers, and how fast (R6.1)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import msgspec

from upschedule.metrics import DEPENDENCY_UP
from upschedule.stores.errors import StoreError

# Below the 5 seconds of R6.1, with room for sending the answer.
_PING_SECONDS_MAX = 4.0

Pings = Mapping[str, Callable[[], Awaitable[Any]]]


class DependencyStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`error` names a kind of failure, never an address or a secret; None: the dependency answered."""

    name: str
    ok: bool
    seconds: float
    error: str | None = None
    needed: bool = True


async def ping_all(pings: Pings, *, not_needed: Collection[str] = ()) -> list[DependencyStatus]:
    """Pings all concurrently; the result has their order. A process works without those in `not_needed`, but slower."""
    return await asyncio.gather(*(_ping(name, ping, needed=name not in not_needed) for name, ping in pings.items()))


def is_ready(dependencies: Collection[DependencyStatus]) -> bool:
    """Whether every dependency that the process needs answers."""
    return all(dependency.ok for dependency in dependencies if dependency.needed)


async def _ping(name: str, ping: Callable[[], Awaitable[Any]], *, needed: bool) -> DependencyStatus:
    started = time.monotonic()
    error = await failure_of(ping)
    DEPENDENCY_UP.labels(dependency=name).set(error is None)
    seconds = round(time.monotonic() - started, 4)
    return DependencyStatus(name=name, ok=error is None, seconds=seconds, error=error, needed=needed)


async def failure_of(ping: Callable[[], Awaitable[Any]]) -> str | None:
    """The kind of failure of a ping, None if it succeeded; returns within four seconds."""
    asked = asyncio.ensure_future(ping())
    # Not wait_for: it would wait for a ping that is slow to notice its cancellation.
    await asyncio.wait({asked}, timeout=_PING_SECONDS_MAX)
    if not asked.done():
        asked.cancel()
        return "no answer in time"
    error = asked.exception()
    if isinstance(error, StoreError):
        return error.reason
    return None if error is None else type(error).__name__
