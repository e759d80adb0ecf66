"""A situation as a sentence for somebody who was asleep a minute ago. Pure."""

from collections.abc import Iterable

from upschedule.deploy.nomad_model import Deployment, Evaluation, Snapshot
from upschedule.deploy.rollout_state import Phase, Situation

_ID_LENGTH = 8
_NOT_BEGUN = "registered, Nomad has not begun yet"


def short(allocation: str) -> str:
    """As Nomad's own command line shortens it."""
    return allocation[:_ID_LENGTH]


def sentence(snapshot: Snapshot, now: Situation) -> str:
    """Says the release, what happens to it, and what that waits for."""
    job = now.job
    if job is None:
        return "is not registered: no release has been started here"
    if now.phase is Phase.STOPPED:
        return f"was stopped by somebody (version {job.version})"
    return f"release {job.release}, version {job.version}: {_progress(snapshot, now)}"


def _progress(snapshot: Snapshot, now: Situation) -> str:
    deployment = now.deployment
    match now.phase:
        case Phase.STARTING | Phase.WAITING | Phase.ROLLING:
            return _ahead(snapshot, now, deployment) if deployment else _NOT_BEGUN
        case Phase.RETURNING:
            return f"{_blame(now)}; {_return(now)}"
        case Phase.RETURNED:
            return f"{_blame(now)}; the earlier release is back and runs on all instances"
        case Phase.FAILED:
            return f"{_blame(now)}; nothing brings an earlier version back: `upschedule deploy revert`"
        case _:
            return f"settled, {len(now.instances)} of {now.job.count if now.job else 0} instances run"


def _ahead(snapshot: Snapshot, now: Situation, deployment: Deployment) -> str:
    if now.phase is Phase.WAITING:
        return f"{_listed(now)} healthy, waits for promotion: `upschedule deploy promote`"
    if not deployment.is_active:
        return _NOT_BEGUN
    said = _replaced(deployment) if now.phase is Phase.ROLLING else _canaries(now, deployment)
    return said + _no_room(snapshot)


def _canaries(now: Situation, deployment: Deployment) -> str:
    healthy = sum(each.is_healthy for each in now.canaries)
    placed = f"{len(now.canaries)} of {deployment.canaries_desired} canaries placed, {healthy} healthy"
    return f"{placed}, no visitors yet"


def _listed(now: Situation) -> str:
    names = ", ".join(short(each.id) for each in now.canaries)
    return f"canary {names} is" if len(now.canaries) == 1 else f"canaries {names} are"


def _replaced(deployment: Deployment) -> str:
    groups = deployment.task_groups.values()
    healthy, wanted = sum(each.healthy_allocs for each in groups), sum(each.desired_total for each in groups)
    return f"being rolled out, {healthy} of {wanted} instances healthy"


def _return(now: Situation) -> str:
    if now.failed is now.deployment:
        return "Nomad brings the earlier version back"
    if now.promotable:
        return f"the earlier version comes back, but {_listed(now)} healthy and waits: `upschedule deploy revert`"
    return f"the earlier version comes back{f', {_replaced(now.deployment)}' if now.deployment else ''}"


def _blame(now: Situation) -> str:
    if now.failed is None:
        return "failed"
    reason = (
        "a person or the gate decided so" if now.failed.by_hand else now.failed.status_description.partition(" - ")[0]
    )
    return f"release {now.failed_release} (version {now.failed.job_version}) failed: {reason}"


def _no_room(snapshot: Snapshot) -> str:
    reasons = no_room(snapshot.evaluations)
    return f"; no node takes an instance: {', '.join(reasons)}" if reasons else ""


def no_room(evaluations: Iterable[Evaluation]) -> list[str]:
    """What the nodes lack, while Nomad waits for it."""
    reasons: set[str] = set()
    for evaluation in evaluations:
        if evaluation.status == "blocked":
            for placement in (evaluation.failed or {}).values():
                if not placement.nodes_evaluated:
                    reasons.add("no node is ready in the datacenter")
                reasons |= {
                    f"not enough {name} on {n} nodes" for name, n in (placement.dimension_exhausted or {}).items()
                }
                reasons |= {f"{name} fits no node" for name in placement.constraint_filtered or {}}
    return sorted(reasons)
