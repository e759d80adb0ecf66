"""Reads from Prometheus what a promoted release answered, slice by slice, and what the release before answered."""

from collections.abc import Collection, Mapping

import msgspec

from upschedule.deploy.comparison.measured import RequestSnapshot, period, read
from upschedule.deploy.comparison.traffic import Histogram
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.supervision.limits import WatchLimits

#: 0 where at some time of a slice no worker and no scheduler reached a store: what fails then is no release's fault.
_STORES_UP = (
    "min(max by (dependency) (min_over_time("
    'upschedule_dependency_up{{service=~"worker|scheduler"}}[{seconds:.0f}s] @ {moment:.3f})))'
)

Side = Mapping[str, Histogram]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures by route: of the release before, and of each slice of the time since the promotion."""

    before: Side
    slices: tuple[Side, ...]


class FigureReader:
    """Reads each slice once. All of it is in Prometheus, so that a new process continues where another was killed."""

    def __init__(self, prometheus: Prometheus, limits: WatchLimits, *, began: float) -> None:
        self._prometheus = prometheus
        self._limits = limits
        self._began = began
        self._first: tuple[RequestSnapshot, RequestSnapshot] | None = None
        self._last: RequestSnapshot | None = None
        self._read_until = began
        self._slices: list[tuple[RequestSnapshot, RequestSnapshot]] = []

    def read(self, instances: Collection[str], *, now: float) -> Figures:
        """`instances` are the release's allocations of the API; `now` is Prometheus' time. Raises DeployError."""
        if self._first is None or self._last is None:
            earlier = read(self._prometheus, at=self._began - self._limits.baseline_seconds)
            self._last = read(self._prometheus, at=self._began)
            self._first = earlier, self._last
        while self._read_until + self._limits.slice_seconds <= now:
            until = self._read_until + self._limits.slice_seconds
            after = read(self._prometheus, at=until).after(self._last)
            if self._stores_are_up(until):
                self._slices.append((self._last, after))
            self._last, self._read_until = after, until
        return Figures(
            before=period(*self._first, canaries=instances).old,
            slices=tuple(period(*each, canaries=instances).new for each in self._slices),
        )

    def _stores_are_up(self, moment: float) -> bool:
        samples = self._prometheus.samples(_STORES_UP.format(moment=moment, seconds=self._limits.slice_seconds))
        return not samples or float(samples[0].value[1]) > 0
