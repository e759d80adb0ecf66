"""Reads the API's counters from Prometheus by instance, and computes the differences between two moments."""

from collections.abc import Collection, Iterable, Mapping
from typing import Self

import msgspec

from upschedule.deploy.comparison.traffic import Count, Histogram, Slice, together
from upschedule.deploy.probe.metrics import Prometheus, Sample

FAULTS = "faults"
_STREAM = "/stream"
_NO_LIMIT = "+Inf"
_SELECTOR = (
    '{__name__=~"upschedule_http_request_seconds_bucket|upschedule_http_requests_total",service="api",'
    'route!~"/health/.*|/metrics"}'
)
#: A busy instance may miss a scrape; its counters then are those of its last one.
_LOOK_BACK = "60s"


class _Key(msgspec.Struct, frozen=True, kw_only=True):
    allocation: str
    subject: str


class RequestSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All counters at one moment, since the start of each instance. Opaque: only differences have a meaning."""

    counters: Mapping[_Key, Histogram]

    def after(self, earlier: Self) -> "RequestSnapshot":
        """Adds the last known counters of missing instances, so that only later changes count when they are back."""
        return RequestSnapshot(counters={**earlier.counters, **self.counters})


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of both releases between two snapshots, by subject."""

    old: Mapping[str, Histogram]
    new: Mapping[str, Histogram]

    def counted(self, slower_than_seconds: Iterable[float]) -> Slice:
        """The events `faults`, and `slower than B s` of each bound; not of streams, which last as what they follow."""
        bounds = list(slower_than_seconds)
        return Slice(old=_counts(self.old, bounds), new=_counts(self.new, bounds))


def without_streams(side: Mapping[str, Histogram]) -> Histogram:
    """All requests of one release whose time is that of an answer."""
    return together(each for subject, each in side.items() if not subject.endswith(_STREAM))


def slower_than(seconds: float) -> str:
    """The event's name."""
    return f"slower than {seconds:g} s"


def read(prometheus: Prometheus, *, at: float | None = None) -> RequestSnapshot:
    """The counters of now, or of `at` in seconds since 1970. Raises DeployError."""
    moment = "" if at is None else f" @ {at:.3f}"
    return snapshot_of(prometheus.samples(f"last_over_time({_SELECTOR}[{_LOOK_BACK}]{moment})"))


def snapshot_of(samples: Iterable[Sample]) -> RequestSnapshot:
    """The counters that these samples hold. A pure function."""
    requests: dict[_Key, int] = {}
    faults: dict[_Key, int] = {}
    within: dict[_Key, dict[float, int]] = {}
    for sample in samples:
        labels, value = sample.metric, round(float(sample.value[1]))
        key = _Key(allocation=labels.get("alloc", ""), subject=f"{labels.get('method')} {labels.get('route')}")
        bound = labels.get("le")
        if bound == _NO_LIMIT:
            requests[key] = value
        elif bound is not None:
            within.setdefault(key, {})[float(bound)] = value
        elif labels.get("fault") == "yes":
            faults[key] = faults.get(key, 0) + value
    counters = {
        key: Histogram(requests=count, faults=faults.get(key, 0), within=within.get(key, {}))
        for key, count in requests.items()
    }
    return RequestSnapshot(counters=counters)


def period(before: RequestSnapshot, after: RequestSnapshot, *, canaries: Collection[str]) -> Period:
    """`canaries` are allocations; all other instances are those of the previous release."""
    old: dict[str, list[Histogram]] = {}
    new: dict[str, list[Histogram]] = {}
    for key, counted in after.counters.items():
        side = new if key.allocation in canaries else old
        side.setdefault(key.subject, []).append(_since(before.counters.get(key), counted))
    return Period(
        old={subject: together(parts) for subject, parts in old.items()},
        new={subject: together(parts) for subject, parts in new.items()},
    )


def _since(before: Histogram | None, after: Histogram) -> Histogram:
    """A counter that has become smaller began anew, as Prometheus' own `increase` takes it."""
    if before is None or before.requests > after.requests:
        return after
    return Histogram(
        requests=after.requests - before.requests,
        faults=max(0, after.faults - before.faults),
        within={bound: max(0, count - before.within.get(bound, 0)) for bound, count in after.within.items()},
    )


def _counts(side: Mapping[str, Histogram], bounds: list[float]) -> dict[str, Count]:
    return {subject: _count(subject, histogram, bounds) for subject, histogram in side.items() if histogram.requests}


def _count(subject: str, histogram: Histogram, bounds: list[float]) -> Count:
    events = {FAULTS: histogram.faults}
    if not subject.endswith(_STREAM):
        events |= {slower_than(bound): histogram.slower_than(bound) for bound in bounds}
    return Count(trials=histogram.requests, events=events)
