"""After a release: every check passes, every instance is of the release, a golden document is read (R12.4)."""

from collections.abc import Mapping
from dataclasses import dataclass

from upschedule.deploy.checking import checks
from upschedule.deploy.cluster import API, Cluster
from upschedule.deploy.explain import short
from upschedule.deploy.findings import Finding
from upschedule.deploy.gate import Limits
from upschedule.deploy.probe import Probe
from upschedule.deploy.rollout_state import Situation
from upschedule.deploy.watch import Follower


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Looks only; what its visitor makes is deleted."""

    cluster: Cluster
    probe: Probe
    limits: Limits
    follower: Follower

    def findings(self) -> list[Finding]:
        """Of jobs that have settled."""
        situations, gone = self._gone()
        found = [_instances(each) for each in situations.values()]
        found += [_one_release(situations), gone]
        for each in situations.values():
            if each.job:
                seconds = self.limits.checks_seconds
                found.append(checks(self.cluster, each.job, each.instances, what="instances", seconds=seconds))
        return [*found, *self.probe.everybody([each.id for each in situations[API].instances])]

    def _gone(self) -> tuple[Mapping[str, Situation], Finding]:
        """Waits for the instances before: until they have ended, Traefik may still send somebody there."""

        def ended(now: Mapping[str, Situation]) -> bool:
            return not any(each.leaving for each in now.values())

        ok, last = self.follower.until(ended, seconds=self.limits.drain_seconds)
        names = ", ".join(f"{each.name} {short(one.id)}" for each in last.values() for one in each.leaving)
        said = "all have ended" if ok else f"still running after {self.limits.drain_seconds:g} s: {names}"
        return last, Finding(checked="instances before", ok=ok, said=said)


def _instances(now: Situation) -> Finding:
    checked = f"{now.name}: instances"
    if now.job is None:
        return Finding(checked=checked, ok=False, said="there is no such job")
    right = [each for each in now.instances if each.job_version == now.job.version and each.client_status == "running"]
    ok = len(right) == len(now.instances) == now.job.count
    said = f"{len(right)} of {now.job.count} run release {now.job.release}, version {now.job.version}"
    others = len(now.instances) - len(right)
    return Finding(
        checked=checked, ok=ok, said=said + (f", {others} run another version or do not run" if others else "")
    )


def _one_release(situations: Mapping[str, Situation]) -> Finding:
    releases = {name: each.job.release for name, each in situations.items() if each.job}
    same = len(set(releases.values())) == 1
    said = next(iter(releases.values())) if same else ", ".join(f"{name}: {each}" for name, each in releases.items())
    return Finding(checked="one release everywhere", ok=same, said=said)
