"""How long a newcomer waits, from the rates that were measured (R2.2)."""

import math
from collections.abc import Iterable
from datetime import datetime

import msgspec

#: One who was refused comes back when this share of the queue has emptied, not to fight for a single place.
_ROOM_SHARE = 0.1
_RETRY_AFTER_SECONDS_MAX = 600


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """The queue now. `wait_seconds` is what a short document queued at this moment waits for its turn.

    `queued` counts all that wait, `slow` those of them that needed more than a first, short reading. `rate_per_minute`
    is that of short readings; `retry_after_seconds` is when an upload that was refused for want of room will find it.
    """

    queued: int
    slow: int
    limit: int
    rate_per_minute: float
    wait_seconds: float
    retry_after_seconds: int


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """A minute: short readings that ended, with a result or without; jobs that ended, and so made room in the queue."""

    quick: float
    ended: float


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


def estimate(*, queued: int, slow: int, ahead: int, limit: int, rates: Rates) -> Capacity:
    """`ahead` are the short documents that are read before the newcomer's. The rates must be above zero."""
    places = max(1, queued - limit + math.ceil(limit * _ROOM_SHARE))
    return Capacity(
        queued=queued,
        slow=slow,
        limit=limit,
        rate_per_minute=rates.quick,
        wait_seconds=round(60 * ahead / rates.quick, 1),
        retry_after_seconds=min(_RETRY_AFTER_SECONDS_MAX, max(1, math.ceil(60 * places / rates.ended))),
    )
