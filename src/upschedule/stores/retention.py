"""One part of removing what is too old: counted and logged alike for every kind of data."""

from collections.abc import Awaitable, Callable

import structlog

from upschedule.metrics import RETENTION_REMOVED
from upschedule.stores.errors import StoreError

_log = structlog.get_logger(__name__)


async def remove_part(kind: str, remove: Callable[[], Awaitable[int]]) -> None:
    """Count what `remove` returns. A store that is away interrupts this part only; the next pass finds the rest."""
    try:
        removed = await remove()
    except StoreError as error:
        _log.warning("retention_interrupted", kind=kind, store=error.store, reason=error.reason)
        return
    RETENTION_REMOVED.labels(kind=kind).inc(removed)
    if removed:
        _log.info("retention_removed", kind=kind, count=removed)
