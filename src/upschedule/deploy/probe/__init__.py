"""Requests through the public address: to the canary by its header, or to everybody's instances."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from upschedule.deploy.clock import Clock
from upschedule.deploy.errors import DeployError
from upschedule.deploy.findings import Finding
from upschedule.deploy.http import Endpoint
from upschedule.deploy.probe.client import CANARY, Seen, Visitor
from upschedule.deploy.probe.golden import Visit
from upschedule.deploy.probe.metrics import Bounds, by_instance, by_ourselves, by_prometheus
from upschedule.deploy.prometheus import Counted, Prometheus
from upschedule.golden import Golden

_PATHS = ("/", "/api/v1/capacity")
_PAUSE_SECONDS = 0.1
_SCRAPE_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Probe:
    """`site` is the public address. `golden_seconds` is how long the golden document may wait and be read."""

    site: Endpoint
    prometheus: Prometheus
    golden: Golden
    clock: Clock
    golden_seconds: float

    def canary(self, instances: Collection[str], *, requests: int, bounds: Bounds, seconds: float) -> list[Finding]:
        """`seconds`: how long Prometheus may take to have counted what was sent."""
        try:
            since = self.prometheus.now()
        except DeployError as error:
            return [_unreachable(error)]
        site = replace(self.site, headers=CANARY)
        reader = Visitor(site, self.clock)
        for number in range(requests):
            reader.ask("GET", _PATHS[number % len(_PATHS)])
            self.clock.pause(_PAUSE_SECONDS)
        findings, seen = self._visit(Visitor(site, self.clock))
        seen = [*reader.seen, *seen]
        return [
            *findings,
            by_instance(seen, instances, what="the canary"),
            by_ourselves(seen, bounds),
            self._counted(instances, since or 0.0, seen, bounds, seconds),
        ]

    def everybody(self, instances: Collection[str]) -> list[Finding]:
        """As visitors come, without the header."""
        findings, seen = self._visit(Visitor(self.site, self.clock))
        return [*findings, by_instance(seen, instances, what="the release's instances")]

    def _visit(self, visitor: Visitor) -> tuple[list[Finding], list[Seen]]:
        visit = Visit(visitor=visitor, golden=self.golden, clock=self.clock, seconds=self.golden_seconds)
        return visit.findings(), visitor.seen

    def _counted(
        self, instances: Collection[str], since: float, seen: Sequence[Seen], bounds: Bounds, seconds: float
    ) -> Finding:
        sent = sum(each.instance in instances for each in seen)
        counted = Counted(requests=None, errors=None, p95_seconds=None)

        def complete() -> bool:
            nonlocal counted
            counted = self.prometheus.counted(instances, since=since)
            return counted.requests is not None and counted.requests >= sent

        try:
            self.clock.until(complete, seconds=seconds, every_seconds=_SCRAPE_SECONDS)
        except DeployError as error:
            return _unreachable(error)
        return by_prometheus(counted, bounds, sent=sent)


def _unreachable(error: DeployError) -> Finding:
    return Finding(checked="canary in Prometheus", ok=False, said=str(error))
