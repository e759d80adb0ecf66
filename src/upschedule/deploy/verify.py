"""Verifies a release after its roll-out: checks, instances of one release, and a golden extraction (R12.4)."""

from collections.abc import Mapping

from upschedule.deploy.environment import API
from upschedule.deploy.explain import short_id
from upschedule.deploy.findings import Finding
from upschedule.deploy.gate import ReleaseContext
from upschedule.deploy.nomad_model import Allocation
from upschedule.deploy.rollout_state import RolloutState


def verify(context: ReleaseContext) -> list[Finding]:
    """Verifies jobs without a deployment in progress; the autoscaler may change them meanwhile. Changes nothing."""
    states, drained = _await_drained(context)
    findings = [instances_finding(each) for each in states.values()]
    findings += [_one_release(states), drained]
    findings += [
        context.check_instances(each.job, _running(each), kind="instances", enough=_needed(each))
        for each in states.values()
        if each.job
    ]
    return [*findings, *context.probe.public(lambda: _may_answer(states[API], context.watcher.poll()[API]))]


def _may_answer(before: RolloutState, after: RolloutState) -> set[str]:
    """The release's instances, those included that the autoscaler added or removed meanwhile."""
    added_or_leaving = (*after.instances, *after.leaving)
    return {each.id for each in before.instances} | {
        each.id for each in added_or_leaving if each.job_version in after.release_versions
    }


def _await_drained(context: ReleaseContext) -> tuple[Mapping[str, RolloutState], Finding]:
    """Waits for the replaced instances: until they have ended, Traefik may still send requests to them."""

    def drained(states: Mapping[str, RolloutState]) -> bool:
        return not any(each.leaving for each in states.values())

    seconds = context.limits.drain_seconds
    ok, last = context.watcher.wait_until(drained, seconds=seconds)
    names = ", ".join(f"{each.name} {short_id(one.id)}" for each in last.values() for one in each.leaving)
    detail = "all have ended" if ok else f"still running after {seconds:g} s: {names}"
    return last, Finding(subject="instances before", ok=ok, detail=detail)


def instances_finding(state: RolloutState) -> Finding:
    """Whether the release, and no other, runs on as many instances as the job wants. A pure function."""
    subject, job = f"{state.name}: instances", state.job
    if job is None:
        return Finding(subject=subject, ok=False, detail="there is no such job")
    running = _running(state)
    others = sum(each.job_version not in state.release_versions for each in state.instances)
    detail = f"{len(running)} of {job.count} run release {job.release}, version {job.version}"
    if others:
        detail += f", {others} run another release"
    if waiting := len(state.instances) - len(running) - others:
        detail += f", {waiting} do not run yet"
    if state.is_scaling:
        detail += f", while Nomad scales from {state.count_before}"
    return Finding(subject=subject, ok=not others and len(running) >= _needed(state), detail=detail)


def _running(state: RolloutState) -> list[Allocation]:
    """The instances of the release that run."""
    return [
        each
        for each in state.instances
        if each.job_version in state.release_versions and each.client_status == "running"
    ]


def _needed(state: RolloutState) -> int:
    """How many instances must run: while Nomad changes their number, those that it is not adding or removing."""
    count = state.job.count if state.job else 0
    return min(count, state.count_before) if state.is_scaling else count


def _one_release(states: Mapping[str, RolloutState]) -> Finding:
    releases = {name: each.job.release for name, each in states.items() if each.job}
    same = len(set(releases.values())) == 1
    detail = next(iter(releases.values())) if same else ", ".join(f"{name}: {each}" for name, each in releases.items())
    return Finding(subject="one release everywhere", ok=same, detail=detail)
