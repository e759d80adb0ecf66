"""Estimates how long a new document waits, from measured rates (R2.2). Pure functions."""

import math
from collections.abc import Iterable
from datetime import datetime

import msgspec

#: A refused upload may be repeated when this share of the queue is free, so that clients do not race for one place.
_ROOM_SHARE = 0.1
_RETRY_AFTER_SECONDS_MAX = 600


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the queue. `wait_seconds` is how long a short document that is queued now waits.

    `queued` counts all waiting jobs, `slow` those that need more than a first, short reading. `rate_per_minute` counts
    short readings; after `retry_after_seconds` a refused upload is expected to find room.
    """

    queued: int
    slow: int
    limit: int
    rate_per_minute: float
    wait_seconds: float
    retry_after_seconds: int


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Per minute: `quick` short readings ended, with a result or without; `ended` jobs left the queue."""

    quick: float
    ended: float


Run = tuple[datetime, datetime]


def measured_rate(runs: Iterable[Run], *, assumed_rate_per_minute: float) -> float:
    """Finished runs per minute of busy time: idle time does not lower the rate."""
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
    """`ahead` short documents are read before a new one. The rates must be positive."""
    places = max(1, queued - limit + math.ceil(limit * _ROOM_SHARE))
    return Capacity(
        queued=queued,
        slow=slow,
        limit=limit,
        rate_per_minute=rates.quick,
        wait_seconds=round(60 * ahead / rates.quick, 1),
        retry_after_seconds=min(_RETRY_AFTER_SECONDS_MAX, max(1, math.ceil(60 * places / rates.ended))),
    )
