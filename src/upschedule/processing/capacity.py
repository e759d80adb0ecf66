"""How long a newcomer waits, from the rate that was measured (R2.2)."""

import math
from collections.abc import Iterable
from datetime import datetime

import msgspec

#: One who was refused comes back when this share of the queue has emptied, not to fight for a single place.
_ROOM_SHARE = 0.1
_RETRY_AFTER_SECONDS_MAX = 600


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """The queue now. `wait_seconds` is what a job queued at this moment waits for its turn."""

    queued: int
    limit: int
    rate_per_minute: float
    wait_seconds: float

    @property
    def retry_after_seconds(self) -> int:
        """When a refused upload will find room."""
        places = max(1, self.queued - self.limit + math.ceil(self.limit * _ROOM_SHARE))
        return min(_RETRY_AFTER_SECONDS_MAX, max(1, math.ceil(60 * places / self.rate_per_minute)))


Run = tuple[datetime, datetime]


def measured_rate(runs: Iterable[Run], *, assumed_rate_per_minute: float) -> float:
    """Finished runs a minute of the time in which any was under way: an idle hour does not make the workers slow."""
    count, busy_seconds, covered_until = 0, 0.0, None
    for started, finished in sorted(runs):
        count += 1
        begin = started if covered_until is None else max(started, covered_until)
        busy_seconds += max(0.0, (finished - begin).total_seconds())
        covered_until = finished if covered_until is None else max(covered_until, finished)
    if count == 0 or busy_seconds <= 0:
        return assumed_rate_per_minute
    return 60 * count / busy_seconds


def estimate(*, queued: int, limit: int, rate_per_minute: float) -> Capacity:
    """The rate must be above zero."""
    return Capacity(
        queued=queued,
        limit=limit,
        rate_per_minute=rate_per_minute,
        wait_seconds=round(60 * queued / rate_per_minute, 1),
    )
