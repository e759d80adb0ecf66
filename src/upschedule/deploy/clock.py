"""Passes time, pauses and randomness as arguments, and waits for a bounded time."""

import datetime as dt
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from upschedule.backoff import jittered

#: The share of each pause that is random, so that several watchers do not send their requests at once.
_JITTER = 0.3


def _utc_now() -> dt.datetime:
    return dt.datetime.now(tz=dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """`random` returns a number x with 0 <= x < 1. `utc_now` is for what people read; waits are measured by `now`."""

    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    random: Callable[[], float] = field(default=random.SystemRandom().random)
    utc_now: Callable[[], dt.datetime] = _utc_now

    def wait_until(self, condition: Callable[[], bool], *, seconds: float, every_seconds: float) -> bool:
        """Evaluates `condition` at least once. Returns False when it did not become true in time."""
        deadline = self.now() + seconds
        while not condition():
            left = deadline - self.now()
            if left <= 0:
                return False
            self.sleep(min(left, jittered(every_seconds, _JITTER, self.random())))
        return True
