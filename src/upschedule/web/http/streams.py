"""Pushes the status of a job as server-sent events, so that clients need not poll (R5.4)."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from uuid import UUID

import msgspec
import structlog

from upschedule.errors import Refusal
from upschedule.metrics import STREAMS_OPEN
from upschedule.processing.job import JobStatus
from upschedule.settings import LimitSettings
from upschedule.web.http.entity_tags import entity_tag
from upschedule.web.http.errors import LimitExceeded, ServerBusy

_log = structlog.stdlib.get_logger("upschedule.web")

_HEARTBEAT_SECONDS = 15.0
_RECONNECT_MILLISECONDS = 2_000
_RETRY_AFTER_SECONDS = 5

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MEDIA_TYPE = "text/event-stream"


class Streams:
    """Bounds the open streams of an account and of the process: each stream holds a connection of the server."""

    def __init__(self) -> None:
        self._open: Counter[UUID] = Counter()

    async def open(
        self,
        account_id: UUID,
        statuses: AsyncGenerator[JobStatus],
        view: Callable[[JobStatus], msgspec.Struct],
        *,
        limits: LimitSettings,
    ) -> AsyncGenerator[bytes]:
        """Events with the `view` of each status. Raises LimitExceeded, ServerBusy, and what the first status raises."""
        if self._open.total() >= limits.streams_max:
            raise ServerBusy
        if self._open[account_id] >= limits.streams_per_account:
            raise LimitExceeded(
                limit="streams",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
                detail=f"You may follow {limits.streams_per_account} schedules at once. Close some of the other pages.",
            )
        first = await anext(statuses)
        return self._events(account_id, first, statuses, view)

    async def _events(
        self,
        account_id: UUID,
        first: JobStatus,
        statuses: AsyncGenerator[JobStatus],
        view: Callable[[JobStatus], msgspec.Struct],
    ) -> AsyncGenerator[bytes]:
        self._open[account_id] += 1
        STREAMS_OPEN.inc()
        try:
            async with aclosing(statuses):
                yield f"retry: {_RECONNECT_MILLISECONDS}\n".encode() + _event(view(first))
                async with aclosing(_with_heartbeats(statuses, view)) as messages:
                    async for message in messages:
                        yield message
        except Refusal as cause:
            # Deleted, or a store is away: the reader comes back and then learns which.
            _log.info("stream_ended", code=cause.code)
        finally:
            STREAMS_OPEN.dec()
            self._open[account_id] -= 1
            self._open += Counter()


async def _with_heartbeats(
    statuses: AsyncGenerator[JobStatus], view: Callable[[JobStatus], msgspec.Struct]
) -> AsyncGenerator[bytes]:
    """Sends a comment during a silence, so that no proxy closes the stream as idle."""
    following = asyncio.ensure_future(anext(statuses, None))
    try:
        while True:
            done, _ = await asyncio.wait({following}, timeout=_HEARTBEAT_SECONDS)
            if not done:
                yield b": still here\n\n"
            elif (status := following.result()) is None:
                return
            else:
                yield _event(view(status))
                following = asyncio.ensure_future(anext(statuses, None))
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def _event(shown: msgspec.Struct) -> bytes:
    return b"event: status\nid: %b\ndata: %b\n\n" % (entity_tag(shown).strip('"').encode(), msgspec.json.encode(shown))
