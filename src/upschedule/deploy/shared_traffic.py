"""Gives canaries growing shares of visitors and documents, and compares them with the old release meanwhile."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from upschedule.deploy.clock import Clock
from upschedule.deploy.compared_documents import ComparedDocuments
from upschedule.deploy.compared_visitors import VISITORS, CanaryInstance, ComparedVisitors
from upschedule.deploy.comparison.documents import DocumentLimits
from upschedule.deploy.comparison.rules import ComparisonLimits
from upschedule.deploy.errors import DeployError, ServerUnreachable
from upschedule.deploy.findings import Finding
from upschedule.deploy.http import Endpoint
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.share import DocumentShareVariable, ShareVariable, remove_shares
from upschedule.deploy.silence import repeat_while_silent

T = TypeVar("T")


class ShareLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The shares in per cent, one after the other, and their times; no shares: the canaries get no live work.

    The last step lasts until the comparisons are sure, `last_seconds` at most. After `step_seconds` of it the gate adds
    `synthetic_per_second` requests to each release while the visitors' alone are too few. A share expires
    `expiry_seconds` after the command that set it has ended.
    """

    percents: tuple[int, ...] = (5, 20, 50)
    step_seconds: float = 60.0
    last_seconds: float = 300.0
    slice_seconds: float = 10.0
    expiry_seconds: float = 60.0
    synthetic_per_second: float = 10.0
    comparison: ComparisonLimits = ComparisonLimits()
    documents: DocumentLimits = DocumentLimits()

    def steps(self, *live: int) -> list[tuple[int, ...]]:
        """The shares of each step, one for each canary, whose job has this number of `live` other instances.

        No canary gets more than each instance of its job would have in a fair division.
        """
        return sorted({tuple(max(1, min(each, 100 // (number + 1))) for number in live) for each in self.percents})

    @property
    def looks(self) -> int:
        """The largest number of comparisons."""
        seconds = max(0, len(self.percents) - 1) * self.step_seconds + self.last_seconds
        return math.ceil(seconds / self.slice_seconds) + len(self.percents)


class WorkerCanary(msgspec.Struct, frozen=True, kw_only=True):
    """An allocation of the worker; `live` is the number of the other instances."""

    instance: str
    live: int


Compared = ComparedVisitors | ComparedDocuments


@dataclass(frozen=True, kw_only=True)
class SharedTraffic:
    """Sets and removes the shares. `site` is the public address; `report` prints a line.

    Waits while Nomad or Prometheus is silent, for `silence_seconds` at most. The shares end meanwhile, so that visitors
    and documents need neither.
    """

    nomad: NomadClient
    prometheus: Prometheus
    site: Endpoint
    clock: Clock
    report: Callable[[str], None]
    limits: ShareLimits
    silence_seconds: float

    def findings(
        self,
        canary: CanaryInstance | None,
        *,
        live: int,
        still_well: Callable[[], bool],
        worker: WorkerCanary | None = None,
    ) -> list[Finding]:
        """`canary` is that of the API, beside `live` other instances. A job that does not change has none.

        Ends at once when a canary is worse, or is not `still_well`. The shares are removed in every case.
        """
        if not self.limits.percents:
            return [Finding(subject=VISITORS, ok=True, detail="not compared: the shares are set to none")]
        try:
            return _Run(traffic=self, still_well=still_well).steps(lambda: self._compared(canary, live, worker))
        except DeployError as error:
            return [not_compared(error)]
        finally:
            remove_shares(self.nomad, self.report)

    def _compared(self, canary: CanaryInstance | None, live: int, worker: WorkerCanary | None) -> list[Compared]:
        found: list[Compared] = []
        if canary:
            found.append(
                ComparedVisitors(
                    share=ShareVariable(self.nomad),
                    prometheus=self.prometheus,
                    site=self.site,
                    clock=self.clock,
                    canary=canary,
                    live=live,
                    limits=self.limits.comparison,
                    looks=self.limits.looks,
                )
            )
        if worker:
            found.append(
                ComparedDocuments(
                    share=DocumentShareVariable(self.nomad),
                    prometheus=self.prometheus,
                    canary=worker.instance,
                    live=worker.live,
                    limits=self.limits.documents,
                    looks=self.limits.looks,
                )
            )
        return found


def not_compared(error: DeployError) -> Finding:
    """A silent server is no evidence against the canary."""
    return Finding(subject=VISITORS, ok=False, unsure=error.is_silence, detail=str(error))


@dataclass(kw_only=True)
class _Run:
    traffic: SharedTraffic
    still_well: Callable[[], bool]

    def steps(self, begin: Callable[[], list[Compared]]) -> list[Finding]:
        self.began = self._patiently(self._prometheus_now)
        self.compared = self._patiently(begin)
        limits = self.traffic.limits
        steps = limits.steps(*(each.live for each in self.compared))
        for percents in steps:
            given = " and ".join(
                f"{percent} % of the {each.name}" for percent, each in zip(percents, self.compared, strict=True)
            )
            self.traffic.report(f"The {'canary gets' if len(percents) == 1 else 'canaries get'} {given}.")
            for elapsed in self._slices(is_last=percents == steps[-1]):
                self._slice(percents, synthetic=elapsed >= limits.step_seconds)
                if worse := [each for each in self.compared if each.is_worse]:
                    return [finding for each in worse for finding in each.findings()]
                if not self._patiently(self.still_well):
                    return [
                        Finding(
                            subject=VISITORS, ok=False, detail="a canary failed, restarted or was replaced meanwhile"
                        )
                    ]
        return [finding for each in self.compared for finding in each.findings()]

    def _slices(self, *, is_last: bool) -> Iterator[float]:
        """The seconds since the step began, at the beginning of each slice."""
        limits, clock = self.traffic.limits, self.traffic.clock
        began = clock.now()
        while True:
            elapsed = clock.now() - began
            goes_on = is_last and any(each.is_open for each in self.compared) and elapsed < limits.last_seconds
            if elapsed >= limits.step_seconds and not goes_on:
                return
            yield elapsed

    def _slice(self, percents: Sequence[int], *, synthetic: bool) -> None:
        limits = self.traffic.limits
        self._patiently(lambda: self._give(percents))
        visitors = [each for each in self.compared if isinstance(each, ComparedVisitors) and each.is_open]
        if synthetic and visitors:
            visitors[0].ask(seconds=limits.slice_seconds, per_second=limits.synthetic_per_second)
        else:
            self.traffic.clock.sleep(limits.slice_seconds)
        for each in self.compared:
            self._patiently(each.measure)

    def _give(self, percents: Sequence[int]) -> None:
        until = math.ceil(self._prometheus_now() + self.traffic.limits.expiry_seconds)
        for percent, each in zip(percents, self.compared, strict=True):
            each.give(percent, until=until, since=int(self.began))

    def _patiently(self, call: Callable[[], T]) -> T:
        traffic = self.traffic
        return repeat_while_silent(call, clock=traffic.clock, seconds=traffic.silence_seconds, report=traffic.report)

    def _prometheus_now(self) -> float:
        """The canaries end the shares by clocks of the cluster; that of this machine may differ."""
        now = self.traffic.prometheus.now()
        if now is None:
            raise ServerUnreachable("Prometheus", "it returned no time")
        return now
