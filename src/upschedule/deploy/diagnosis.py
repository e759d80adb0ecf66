"""Why a deployment failed, with the end of the log that tells more."""

from collections.abc import Iterable, Mapping, Sequence

from upschedule.deploy import history
from upschedule.deploy.explain import no_room, short
from upschedule.deploy.nomad import Nomad
from upschedule.deploy.nomad_model import Allocation, Deployment, Snapshot
from upschedule.deploy.reasons import causes

_LOG_LINES = 6
_INSTANCES_MAX = 3


def diagnose(
    nomad: Nomad, snapshot: Snapshot, deployment: Deployment, complaints: Mapping[str, Sequence[str]]
) -> list[str]:
    """Lines for the terminal. `complaints`: what Consul last said of instances, which it forgets when they end."""
    bad = [each for each in _of(snapshot, deployment) if each.is_unhealthy or not each.is_healthy]
    newest = sorted(bad, key=lambda each: -each.create_time)[:_INSTANCES_MAX]
    lines = [line for each in newest for line in _instance(nomad, snapshot, each, complaints.get(each.id, ()))]
    lines += [f"no node takes an instance: {reason}" for reason in no_room(snapshot.evaluations)]
    if deployment.by_hand:
        return lines
    return lines or ["Nomad says nothing more; `nomad deployment status` and `nomad alloc status` may"]


def _of(snapshot: Snapshot, deployment: Deployment) -> list[Allocation]:
    return [
        each
        for each in snapshot.allocations
        if each.job_version == deployment.job_version and each.deployment_status is not None
    ] or [each for each in snapshot.allocations if each.id in deployment.canaries]


def _instance(nomad: Nomad, snapshot: Snapshot, allocation: Allocation, complaints: Iterable[str]) -> list[str]:
    job = history.version(snapshot, allocation.job_version)
    name = f"instance {short(allocation.id)} on {allocation.node_name}"
    lines = [f"{name}: {complaint}" for complaint in complaints]
    for cause in causes(allocation, job.tasks if job else {}):
        lines.append(f"{name}: {cause.sentence}")
        if cause.task:
            lines += [f"  {cause.task} | {line}" for line in _log(nomad, allocation.id, cause.task)]
    return lines


def _log(nomad: Nomad, allocation: str, task: str) -> list[str]:
    said = [nomad.log(allocation, task, stream).splitlines() for stream in ("stdout", "stderr")]
    return [line for lines in said for line in [line for line in lines if line.strip()][-_LOG_LINES:]]
