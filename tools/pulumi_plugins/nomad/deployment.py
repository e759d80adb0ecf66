"""Waits for the deployment that a registered job starts."""

import time
from typing import Any

from tools.pulumi_plugins.nomad.resource import ResourceError, Work

POLL_SECONDS = 0.5
TIMEOUT_SECONDS = 300


def wait(work: Work, evaluation_id: str, namespace: str) -> None:
    """Returns when the deployment is successful, or all is placed where there is none. Raises one of FAILURES."""
    deadline = time.monotonic() + (work.timeout_seconds or TIMEOUT_SECONDS)
    while not settled(work, evaluation_id, namespace):
        if time.monotonic() > deadline:
            raise ResourceError(f"Evaluation {evaluation_id} was not settled in time.")
        if work.cancelled.wait(POLL_SECONDS):
            raise ResourceError(f"Evaluation {evaluation_id} goes on; the wait for it was cancelled.")


def settled(work: Work, evaluation_id: str, namespace: str) -> bool:
    evaluation = work.nomad.get("evaluation", evaluation_id, namespace=namespace)
    if evaluation["Status"] in ("failed", "canceled"):
        reason = evaluation.get("StatusDescription") or "no reason given"
        raise ResourceError(f"Evaluation {evaluation_id} is {evaluation['Status']}: {reason}.")
    if failed := evaluation.get("FailedTGAllocs"):
        raise ResourceError(f"Not all could be placed: {'; '.join(map(unplaced, failed.items()))}.")
    if evaluation["Status"] != "complete":
        return False
    return not evaluation.get("DeploymentID") or succeeded(work, evaluation["DeploymentID"], namespace)


def unplaced(group: tuple[str, dict[str, Any]]) -> str:
    name, metrics = group
    exhausted = metrics.get("DimensionExhausted") or {}
    filtered = metrics.get("ConstraintFiltered") or {}
    return f"group {name} ({', '.join([*exhausted, *filtered]) or 'no node fits'})"


def succeeded(work: Work, deployment_id: str, namespace: str) -> bool:
    deployment = work.nomad.get("deployment", deployment_id, namespace=namespace)
    if deployment["Status"] in ("failed", "cancelled"):
        outcome = f"{deployment['Status']}: {deployment['StatusDescription']}"
        raise ResourceError(f"Deployment {deployment_id} is {outcome}.")
    return deployment["Status"] == "successful"
