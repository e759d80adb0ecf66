"""Lines with the time since a command began."""

import time
from collections.abc import Callable


class TimedProgress:
    """Reports one line for each step, with the time since the start."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._started_at = time.monotonic()

    def report(self, text: str) -> None:
        self._report(f"[{time.monotonic() - self._started_at:5.1f} s] {text}")
