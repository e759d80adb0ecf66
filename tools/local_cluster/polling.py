"""Polls a condition up to a deadline."""

import time
from collections.abc import Callable

PAUSE_SECONDS = 0.2


def wait_for(condition: Callable[[], object], *, timeout_seconds: float) -> bool:
    """Returns False if the condition is still false after the timeout."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    return True
