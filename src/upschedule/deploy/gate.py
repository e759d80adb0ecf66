"""The gate before promotion: canaries healthy, checks passing, a golden extraction, errors and latency."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from upschedule.deploy.checking import checks
from upschedule.deploy.cluster import API, Cluster
from upschedule.deploy.explain import short
from upschedule.deploy.findings import Finding, passed
from upschedule.deploy.probe import Probe
from upschedule.deploy.probe.metrics import Bounds
from upschedule.deploy.rollout_state import LOST, Phase, Situation
from upschedule.deploy.watch import Follower


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long each step may take, and how many requests the canary gets.

    `canary_seconds` is above the jobs' `progress_deadline`, so that Nomad gives up first and says why.
    """

    canary_seconds: float = 1200.0
    checks_seconds: float = 60.0
    golden_seconds: float = 180.0
    prometheus_seconds: float = 60.0
    drain_seconds: float = 120.0
    rolling_seconds: float = 1800.0
    return_seconds: float = 900.0
    requests: int = 40
    bounds: Bounds = Bounds()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`waiting` are the jobs whose canaries await promotion, `situations` all jobs at the end of the waiting."""

    findings: list[Finding]
    situations: dict[str, Situation]
    waiting: dict[str, Situation]

    @property
    def passed(self) -> bool:
        return passed(self.findings)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Changes nothing in the cluster but what its visitor makes and deletes."""

    cluster: Cluster
    probe: Probe
    limits: Limits
    follower: Follower

    def run(self) -> Verdict:
        """Stops at the first step that fails: what comes after would only fail as well."""
        findings, waiting, last = self.canaries()
        if waiting and passed(findings):
            findings += [self._checks(each) for each in waiting.values()]
        if waiting and passed(findings):
            findings += self._visitors(waiting)
            findings += self._lasting(waiting)
        return Verdict(findings=findings, situations=last, waiting=waiting)

    def canaries(self) -> tuple[list[Finding], dict[str, Situation], dict[str, Situation]]:
        """Waits until those of all jobs under way are healthy, or one of the jobs is lost."""
        concerned = [name for name, each in self.follower.look().items() if each.is_under_way]

        def decided(now: Mapping[str, Situation]) -> bool:
            mine = [now[name] for name in concerned]
            return any(each.phase in LOST for each in mine) or all(
                each.phase is Phase.WAITING or not each.is_under_way for each in mine
            )

        _, last = self.follower.until(decided, seconds=self.limits.canary_seconds)
        findings = [_canary(last[name], self.limits) for name in concerned]
        findings += _lost_before(last, concerned)
        waiting = {name: last[name] for name in concerned if last[name].phase is Phase.WAITING}
        return findings, waiting, dict(last)

    def _checks(self, now: Situation) -> Finding:
        if now.job is None:
            return Finding(checked=now.name, ok=False, said="is gone")
        return checks(self.cluster, now.job, now.canaries, what="canaries", seconds=self.limits.checks_seconds)

    def _visitors(self, waiting: Mapping[str, Situation]) -> list[Finding]:
        if API not in waiting:
            said = "not asked for anything: the API is not part of this change"
            return [Finding(checked="canary of the API", ok=True, said=said)]
        return self.probe.canary(
            [each.id for each in waiting[API].canaries],
            requests=self.limits.requests,
            bounds=self.limits.bounds,
            seconds=self.limits.prometheus_seconds,
        )

    def _lasting(self, waiting: Mapping[str, Situation]) -> list[Finding]:
        """What was healthy before all those requests must still be."""
        now = self.follower.look()
        same = [
            now[name].phase is Phase.WAITING and now[name].deployment == before.deployment
            for name, before in waiting.items()
        ]
        said = "the same ones as at the beginning" if all(same) else "a canary failed, or was replaced, meanwhile"
        return [Finding(checked="canaries after all that", ok=all(same), said=said)]


def _canary(now: Situation, limits: Limits) -> Finding:
    checked = f"{now.name}: canary in Nomad"
    if now.phase is Phase.WAITING:
        names = ", ".join(short(each.id) for each in now.canaries)
        return Finding(checked=checked, ok=True, said=f"healthy: {names}")
    if now.phase is Phase.SETTLED:
        return Finding(checked=checked, ok=True, said="rolled out without a canary")
    if now.phase in LOST:
        return Finding(checked=checked, ok=False, said=f"release {now.failed_release} failed; why is said above")
    return Finding(
        checked=checked, ok=False, said=f"not healthy after {limits.canary_seconds:g} s: still {now.phase.value}"
    )


def _lost_before(last: Mapping[str, Situation], concerned: list[str]) -> list[Finding]:
    """A release is promoted whole: not when another of its jobs has failed already."""
    releases = {job.release for name in concerned if (job := last[name].job)}
    return [
        Finding(checked=f"{name}: canary in Nomad", ok=False, said=f"release {each.failed_release} failed before")
        for name, each in last.items()
        if name not in concerned and each.phase in LOST and each.failed_release in releases
    ]
