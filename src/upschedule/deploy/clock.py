"""Time and chance, handed in, and waiting that ends."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: A share of each pause is left to chance, so that several watchers do not ask at once.
_JITTER = 0.3


@dataclass(frozen=True, kw_only=True)
class Clock:
    """`roll` gives 0 <= x < 1."""

    pause: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    roll: Callable[[], float] = field(default=random.SystemRandom().random)

    def until(self, reached: Callable[[], bool], *, seconds: float, every_seconds: float) -> bool:
        """Asks at least once. False: not reached in time."""
        deadline = self.now() + seconds
        while not reached():
            left = deadline - self.now()
            if left <= 0:
                return False
            self.pause(min(left, every_seconds * (1 - _JITTER * self.roll())))
        return True
