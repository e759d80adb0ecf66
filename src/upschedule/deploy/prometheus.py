"""What Prometheus has counted of the canary since a moment.

A series that is new has no earlier sample, so `increase` would not see its first value: the value then is subtracted
instead, 0 where there was none. Health checks do not count. Back-pressure is no error: a stranger can
bring it about.
"""

import math
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from upschedule.deploy.http import Endpoint, JsonClient

_REQUESTS = "upschedule_http_requests_total"
_BUCKETS = "upschedule_http_request_seconds_bucket"
_QUANTILE = 0.95


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """None: no data. `p95_seconds` is an estimate within the bounds of the histogram's buckets."""

    requests: float | None
    errors: float | None
    p95_seconds: float | None


class _Data(msgspec.Struct, frozen=True, kw_only=True):
    result: list[dict[str, Any]]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["success"]
    data: _Data


class Prometheus:
    """Raises ServerUnreachable and ServerRefused."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._client = JsonClient(endpoint)

    def now(self) -> float | None:
        """Its own time of day, in seconds since 1970: the clock of this machine may be wrong."""
        return self._value("vector(time())")

    def counted(self, instances: Iterable[str], *, since: float) -> Counted:
        """Of the canaries with these allocation ids. `since` is a time of `now`."""
        chosen = f'canary="yes",alloc=~"{"|".join(instances)}",route!~"/health/.*|/metrics"'
        return Counted(
            requests=self._value(_gained(_REQUESTS, chosen, since)),
            errors=self._value(_gained(_REQUESTS, f'{chosen},fault="yes"', since)),
            p95_seconds=self._value(_quantile(chosen, since)),
        )

    def _value(self, query: str) -> float | None:
        rows = self._client.get("api/v1/query", _Answer, query=query).data.result
        value = float(rows[0]["value"][1]) if rows else math.nan
        return None if math.isnan(value) else value


def _gained(metric: str, chosen: str, since: float) -> str:
    """No data where the instance has none at all, 0 where only this kind of answer is missing."""
    known = f"0 * sum({_REQUESTS}{{{chosen.partition(',fault')[0]}}})"
    return (
        f"(sum({metric}{{{chosen}}}) or {known})"
        f" - (sum({metric}{{{chosen}}} @ {since:.3f}) or 0 * sum({metric}{{{chosen}}}) or {known})"
    )


def _quantile(chosen: str, since: float) -> str:
    now = f"sum by (le) ({_BUCKETS}{{{chosen}}})"
    before = f"(sum by (le) ({_BUCKETS}{{{chosen}}} @ {since:.3f}) or 0 * {now})"
    return f"histogram_quantile({_QUANTILE}, {now} - {before})"
