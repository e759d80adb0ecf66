"""Pauses between attempts: exponential backoff with jitter, the one formula of the project (decision 17).

Callers own their loops, clocks and sources of randomness; this module only calculates.
"""

import msgspec

# Beyond this exponent every pause has reached its bound, and no count of attempts can overflow a float.
_EXPONENT_MAX = 60


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """After attempt n the pause is at most `base_seconds * 2**(n-1)`, and never more than `max_seconds`.

    `jitter` is the random share of each pause: 1 is full jitter, 0.5 equal jitter.
    """

    base_seconds: float
    max_seconds: float
    jitter: float = 0.5

    def pause_seconds(self, attempt: int, roll: float) -> float:
        """The pause after the attempt of this number, which counts from 1; 0 <= roll < 1."""
        exponent = min(max(attempt - 1, 0), _EXPONENT_MAX)
        return jittered(min(self.base_seconds * 2.0**exponent, self.max_seconds), self.jitter, roll)


def jittered(seconds: float, jitter: float, roll: float) -> float:
    """Shortens a pause by a random part of its share `jitter`, so that processes do not act in step."""
    return seconds * (1 - jitter * (1 - roll))
