"""Runs one part of a clean-up, and counts and logs it in the same way for every kind of data."""

from collections.abc import Awaitable, Callable

import structlog

from upschedule.metrics import RETENTION_REMOVED
from upschedule.stores.errors import StoreError

_log = structlog.get_logger(__name__)


async def remove_part(kind: str, remove: Callable[[], Awaitable[int]]) -> None:
    """Counts what `remove` returns. A StoreError interrupts this part only; the next pass removes the rest."""
    try:
        removed = await remove()
    except StoreError as error:
        _log.warning("retention_interrupted", kind=kind, store=error.store, reason=error.reason)
        return
    RETENTION_REMOVED.labels(kind=kind).inc(removed)
    if removed:
        _log.info("retention_removed", kind=kind, count=removed)
