"""Checks the canary's errors and latency, by the gate's own records and by Prometheus.

A new series has no earlier sample, so `increase` would miss its first value. The queries subtract the earlier value
instead, or 0 where there was none. Health checks do not count. Back-pressure is no error: a stranger can cause it.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import msgspec

from upschedule.deploy.explain import short_id
from upschedule.deploy.findings import Finding
from upschedule.deploy.http import Endpoint, JsonClient
from upschedule.deploy.probe.client import RequestRecord

_REQUESTS = "upschedule_http_requests_total"
_BUCKETS = "upschedule_http_request_seconds_bucket"
_QUANTILE = 0.95


class MetricBounds(msgspec.Struct, frozen=True, kw_only=True):
    """The limits for a canary that is promoted. The latency is that of R7.1."""

    error_ratio_max: float = 0.01
    p95_seconds_max: float = 2.0


class CanaryMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """None means no data. `p95_seconds` is an estimate within the bounds of the histogram's buckets."""

    requests: float | None
    errors: float | None
    p95_seconds: float | None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One series at one moment; `value` is Prometheus' pair of time and text."""

    metric: dict[str, str]
    value: tuple[float, str]


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """One series over a time; `values` are Prometheus' pairs of time and text."""

    metric: dict[str, str]
    values: tuple[tuple[float, str], ...]


class _Ranges(msgspec.Struct, frozen=True, kw_only=True):
    result: list[Range]


class _RangeResult(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["success"]
    data: _Ranges


class _Data(msgspec.Struct, frozen=True, kw_only=True):
    result: list[Sample]


class _QueryResult(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["success"]
    data: _Data


class Prometheus:
    """Raises ServerUnreachable and ServerRefused."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._client = JsonClient(endpoint)

    def now(self) -> float | None:
        """The server's time in seconds since 1970: the clock of this machine may be wrong."""
        return self._value("vector(time())")

    def canary_metrics(self, instances: Iterable[str], *, since: float) -> CanaryMetrics:
        """The metrics of the canaries with these allocation ids. `since` is a time that `now` returned."""
        selector = f'canary="yes",alloc=~"{"|".join(instances)}",route!~"/health/.*|/metrics"'
        return CanaryMetrics(
            requests=self._value(_increase(_REQUESTS, selector, since)),
            errors=self._value(_increase(_REQUESTS, f'{selector},fault="yes"', since)),
            p95_seconds=self._value(_quantile(selector, since)),
        )

    def samples(self, query: str) -> list[Sample]:
        """The series of an instant query."""
        return self._client.get("api/v1/query", _QueryResult, query=query).data.result

    def ranges(self, query: str, *, begin: float, end: float, step_seconds: float) -> list[Range]:
        """The series of a query between two times, in seconds since 1970."""
        bounds = {"start": f"{begin:.3f}", "end": f"{end:.3f}", "step": f"{step_seconds:.3f}"}
        return self._client.get("api/v1/query_range", _RangeResult, query=query, **bounds).data.result

    def process_starts(self, instances: Iterable[str]) -> dict[str, float]:
        """The start times of the processes of these allocations, in seconds since 1970, as far as known."""
        query = f'process_start_time_seconds{{alloc=~"{"|".join(instances)}"}}'
        return {each.metric["alloc"]: float(each.value[1]) for each in self.samples(query)}

    def _value(self, query: str) -> float | None:
        rows = self.samples(query)
        value = float(rows[0].value[1]) if rows else math.nan
        return None if math.isnan(value) else value


def _increase(metric: str, selector: str, since: float) -> str:
    """A query that gives no data if the instance has none, and 0 if only this kind of answer is missing."""
    known = f"0 * sum({_REQUESTS}{{{selector.partition(',fault')[0]}}})"
    return (
        f"(sum({metric}{{{selector}}}) or {known})"
        f" - (sum({metric}{{{selector}}} @ {since:.3f}) or 0 * sum({metric}{{{selector}}}) or {known})"
    )


def _quantile(selector: str, since: float) -> str:
    now = f"sum by (le) ({_BUCKETS}{{{selector}}})"
    before = f"(sum by (le) ({_BUCKETS}{{{selector}}} @ {since:.3f}) or 0 * {now})"
    return f"histogram_quantile({_QUANTILE}, {now} - {before})"


def check_requests(records: Sequence[RequestRecord], bounds: MetricBounds) -> Finding:
    """Errors and latency of all requests of the gate. A pure function."""
    errors = [each for each in records if each.is_error]
    ratio, slowest = len(errors) / max(len(records), 1), p95([each.seconds for each in records])
    detail = f"{len(errors)} of {len(records)} requests failed, 95 % were answered within {slowest:.2f} s"
    if errors:
        first = errors[0]
        detail += f"; first: {first.request} answered {first.status or 'nothing'} {first.detail}".rstrip()
    good = bool(records) and ratio <= bounds.error_ratio_max and slowest <= bounds.p95_seconds_max
    return Finding(subject="requests of the gate", ok=good, detail=detail + ("" if good else _allowed(bounds)))


def check_metrics(metrics: CanaryMetrics, bounds: MetricBounds, *, sent: int) -> Finding:
    """`sent` is the number of the gate's requests: when fewer were counted, the figures are incomplete."""
    subject = "canary in Prometheus"
    if metrics.requests is None or metrics.errors is None:
        return Finding(subject=subject, ok=False, detail="no data: the canary is not scraped, or not labelled as one")
    if metrics.requests < 0:
        detail = "its counters began anew: the canary was restarted meanwhile"
        return Finding(subject=subject, ok=False, detail=detail)
    if metrics.requests < sent or metrics.p95_seconds is None:
        detail = f"only {metrics.requests:g} of at least {sent} requests were counted: its data are missing or late"
        return Finding(subject=subject, ok=False, detail=detail)
    ratio = metrics.errors / max(metrics.requests, 1)
    detail = f"{metrics.errors:g} of {metrics.requests:g} answers were faults, 95 % within {metrics.p95_seconds:.2f} s"
    good = ratio <= bounds.error_ratio_max and metrics.p95_seconds <= bounds.p95_seconds_max
    return Finding(subject=subject, ok=good, detail=detail + ("" if good else _allowed(bounds)))


def check_answers(records: Sequence[RequestRecord], expected: Collection[str], *, name: str) -> Finding:
    """Whether all answers came from these allocations; requests without an answer are ignored. A pure function."""
    answers = [each for each in records if each.status]
    others = sorted({each.instance for each in answers} - set(expected))
    from_them = sum(each.instance in expected for each in answers)
    detail = f"{from_them} of {len(answers)} answers came from {name}"
    if others:
        names = ", ".join(short_id(each) or "an instance that does not say its name" for each in others)
        detail += f", others from {names}"
    return Finding(subject=f"answers of {name}", ok=bool(answers) and not others, detail=detail)


def p95(seconds: Sequence[float]) -> float:
    """The 95th percentile by nearest rank; 0 without values."""
    return sorted(seconds)[math.ceil(_QUANTILE * len(seconds)) - 1] if seconds else 0.0


def _allowed(bounds: MetricBounds) -> str:
    return f" (allowed: {bounds.error_ratio_max:.1%} and {bounds.p95_seconds_max:g} s)"
