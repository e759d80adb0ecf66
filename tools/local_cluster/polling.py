"""Waiting for what takes its time, never for ever."""

import time
from collections.abc import Callable

PAUSE_SECONDS = 0.2


def wait_for(condition: Callable[[], object], *, timeout_seconds: float) -> bool:
    """False: it did not come true in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    return True
