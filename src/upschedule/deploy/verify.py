"""The verification after a release: checks, instances of one release, and a golden extraction (R12.4)."""

from collections.abc import Mapping

from upschedule.deploy.environment import API
from upschedule.deploy.explain import short_id
from upschedule.deploy.findings import Finding
from upschedule.deploy.gate import ReleaseContext
from upschedule.deploy.rollout_state import RolloutState


def verify(context: ReleaseContext) -> list[Finding]:
    """Of jobs that have settled. Changes nothing in the cluster."""
    states, drained = _await_drained(context)
    findings = [_instances(each) for each in states.values()]
    findings += [_one_release(states), drained]
    findings += [
        context.check_instances(each.job, each.instances, kind="instances") for each in states.values() if each.job
    ]
    return [*findings, *context.probe.public([each.id for each in states[API].instances])]


def _await_drained(context: ReleaseContext) -> tuple[Mapping[str, RolloutState], Finding]:
    """Waits for the replaced instances: until they have ended, Traefik may still send requests to them."""

    def drained(states: Mapping[str, RolloutState]) -> bool:
        return not any(each.leaving for each in states.values())

    seconds = context.limits.drain_seconds
    ok, last = context.watcher.wait_until(drained, seconds=seconds)
    names = ", ".join(f"{each.name} {short_id(one.id)}" for each in last.values() for one in each.leaving)
    detail = "all have ended" if ok else f"still running after {seconds:g} s: {names}"
    return last, Finding(subject="instances before", ok=ok, detail=detail)


def _instances(state: RolloutState) -> Finding:
    subject, job = f"{state.name}: instances", state.job
    if job is None:
        return Finding(subject=subject, ok=False, detail="there is no such job")
    right = [each for each in state.instances if each.job_version == job.version and each.client_status == "running"]
    ok = len(right) == len(state.instances) == job.count
    detail = f"{len(right)} of {job.count} run release {job.release}, version {job.version}"
    if others := len(state.instances) - len(right):
        detail += f", {others} run another version or do not run"
    return Finding(subject=subject, ok=ok, detail=detail)


def _one_release(states: Mapping[str, RolloutState]) -> Finding:
    releases = {name: each.job.release for name, each in states.items() if each.job}
    same = len(set(releases.values())) == 1
    detail = next(iter(releases.values())) if same else ", ".join(f"{name}: {each}" for name, each in releases.items())
    return Finding(subject="one release everywhere", ok=same, detail=detail)
