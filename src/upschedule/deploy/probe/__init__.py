"""Sends requests through the public address: to the canary by its header, or to all instances as a visitor does."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from upschedule.deploy.clock import Clock
from upschedule.deploy.errors import DeployError
from upschedule.deploy.findings import Finding
from upschedule.deploy.http import Endpoint
from upschedule.deploy.probe.client import CANARY_HEADER, ProbeClient, RequestRecord, await_answer_of
from upschedule.deploy.probe.golden import GoldenRun
from upschedule.deploy.probe.metrics import (
    CanaryMetrics,
    MetricBounds,
    Prometheus,
    check_answers,
    check_metrics,
    check_requests,
)
from upschedule.deploy.probe.visitors import PATHS
from upschedule.deploy.silence import repeat_while_silent
from upschedule.golden import GoldenSet

T = TypeVar("T")
_PAUSE_SECONDS = 0.1
_SCRAPE_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Probe:
    """`site` is the public address. `golden_seconds` limits queue and extraction of all golden documents together.

    Waits for a silent Prometheus for `silence_seconds`; `report` prints a line then.
    """

    site: Endpoint
    prometheus: Prometheus
    golden: GoldenSet
    clock: Clock
    golden_seconds: float
    silence_seconds: float
    report: Callable[[str], None]

    def canary(
        self, instances: Collection[str], *, requests: int, bounds: MetricBounds, seconds: float, route_seconds: float
    ) -> list[Finding]:
        """`seconds` limits the wait until Prometheus has counted the requests, `route_seconds` that for a first answer.

        The answers until then do not count: Traefik may not know the canary yet.
        """
        try:
            since = self._patiently(self.prometheus.now)
        except DeployError as error:
            return [_prometheus_failed(error)]
        site = replace(self.site, headers=CANARY_HEADER)
        await_answer_of(instances, site, self.clock, path=PATHS[0], seconds=route_seconds)
        reader = ProbeClient(site, self.clock)
        for number in range(requests):
            reader.request("GET", PATHS[number % len(PATHS)])
            self.clock.sleep(_PAUSE_SECONDS)
        findings, records = self._golden(ProbeClient(site, self.clock))
        records = [*reader.records, *records]
        return [
            *findings,
            check_answers(records, instances, name="the canary"),
            check_requests(records, bounds),
            self._metrics(instances, since or 0.0, records, bounds, seconds),
        ]

    def process_starts(self, instances: Collection[str]) -> dict[str, float]:
        """Empty when Prometheus does not answer: its other figures fail the gate then."""
        try:
            return self.prometheus.process_starts(instances)
        except DeployError:
            return {}

    def public(self, instances: Callable[[], Collection[str]]) -> list[Finding]:
        """Probes without the canary's header. `instances` returns the allocations that may have answered."""
        findings, records = self._golden(ProbeClient(self.site, self.clock))
        return [*findings, check_answers(records, instances(), name="the release's instances")]

    def _golden(self, client: ProbeClient) -> tuple[list[Finding], list[RequestRecord]]:
        run = GoldenRun(client=client, golden=self.golden, clock=self.clock, seconds=self.golden_seconds)
        return run.findings(), client.records

    def _metrics(
        self,
        instances: Collection[str],
        since: float,
        records: Sequence[RequestRecord],
        bounds: MetricBounds,
        seconds: float,
    ) -> Finding:
        sent = sum(each.instance in instances for each in records)
        metrics = CanaryMetrics(requests=None, errors=None, p95_seconds=None)

        def complete() -> bool:
            nonlocal metrics
            metrics = self._patiently(lambda: self.prometheus.canary_metrics(instances, since=since))
            return metrics.requests is not None and metrics.requests >= sent

        try:
            self.clock.wait_until(complete, seconds=seconds, every_seconds=_SCRAPE_SECONDS)
        except DeployError as error:
            return _prometheus_failed(error)
        return check_metrics(metrics, bounds, sent=sent)

    def _patiently(self, call: Callable[[], T]) -> T:
        return repeat_while_silent(call, clock=self.clock, seconds=self.silence_seconds, report=self.report)


def _prometheus_failed(error: DeployError) -> Finding:
    return Finding(subject="canary in Prometheus", ok=False, unsure=error.is_silence, detail=str(error))
