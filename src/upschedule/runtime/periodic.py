"""Repeats an action for ever."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from upschedule.backoff import jittered
from upschedule.stores.errors import StoreError

_log = structlog.get_logger(__name__)


async def every(
    seconds: float, action: Callable[[], Awaitable[object]], *, name: str, roll: Callable[[], float] = random.random
) -> None:
    """Runs until cancelled; an error ends only its round. Jitter shortens each pause by up to a tenth."""
    while True:
        try:
            await action()
        except StoreError as error:
            _log.warning("round_interrupted", round=name, store=error.store, reason=error.reason)
        except Exception:  # noqa: BLE001 - a defect in one round must not end all later ones
            _log.exception("round_failed", round=name)
        await asyncio.sleep(jittered(seconds, 0.1, roll()))
