"""Refuses a release while another one is under way, before Pulumi changes anything."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from upschedule.deploy.errors import ServerError
from upschedule.deploy.http import BRIEF
from upschedule.deploy.nomad import NomadClient, nomad_endpoint
from upschedule.deploy.nomad_model import ACTIVE

#: Bound of the wait for a change of the number of instances, which ends by itself once they have started.
PATIENCE_SECONDS = 180
_POLL_SECONDS = 2
_ANSWER_SECONDS = 15


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """The release that the job was last registered with (empty: none), and the state of its last deployment.

    `scaling`: that deployment only changes the number of instances, as the autoscaler does.
    """

    job: str
    release: str
    deployment: str
    scaling: bool = False


class ReleaseUnderWay(pulumi.RunError):
    """Another release or a change of the number of instances is under way.

    Two releases at once would revert to each other. A release that fails while instances are added would make Nomad
    revert to the earlier number of instances.
    """

    def __init__(self, wanted: str, rollouts: Iterable[Rollout]) -> None:
        known = list(rollouts)
        jobs = ", ".join(f"{rollout.job} ({rollout.release}, {rollout.deployment})" for rollout in known)
        if all(rollout.scaling for rollout in known):
            super().__init__(
                f"Release {wanted} must wait: the number of instances has been changing for {PATIENCE_SECONDS} s in "
                f"{jobs}. See `upschedule deploy status`, and try again."
            )
            return
        super().__init__(
            f"Release {wanted} must wait: another is still on its way in {jobs}. "
            "Promote or revert it first: `upschedule deploy status`."
        )


class NomadSilent(pulumi.RunError):
    """Nomad cannot be asked whether a release is under way, so none may begin."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"Nomad at {address} does not say whether a release is on its way: {reason}")


def refuse_a_second_release(
    wanted: str, read: Callable[[], Sequence[Rollout]], pause: Callable[[float], None] = time.sleep
) -> None:
    """Waits while only numbers of instances change. Raises ReleaseUnderWay for a release, or after the wait."""
    others: list[Rollout] = []
    for _ in range(PATIENCE_SECONDS // _POLL_SECONDS):
        others = [each for each in read() if each.release not in ("", wanted) and each.deployment in ACTIVE]
        if not others:
            return
        if not all(each.scaling for each in others):
            break
        pause(_POLL_SECONDS)
    raise ReleaseUnderWay(wanted, others)


def read_rollouts(jobs: Iterable[str], namespace: str) -> list[Rollout]:
    """Reads the jobs from the Nomad that the environment's NOMAD_… variables name. Raises NomadSilent."""
    endpoint = nomad_endpoint(os.environ)
    nomad = NomadClient(endpoint, query={"namespace": namespace}, retries=BRIEF, read_seconds=_ANSWER_SECONDS)
    try:
        return [_read_rollout(nomad, job) for job in jobs]
    except ServerError as error:
        raise NomadSilent(endpoint.address, error.reason) from error


def _read_rollout(nomad: NomadClient, job: str) -> Rollout:
    specification = nomad.find("job", job) or {}
    deployment = (nomad.find("job", job, "deployment") or {}) if specification else {}
    return Rollout(
        job=job,
        release=(specification.get("Meta") or {}).get("release", ""),
        deployment=deployment.get("Status", ""),
        scaling=_is_scaling(deployment),
    )


def _is_scaling(deployment: dict[str, Any]) -> bool:
    """True if the deployment replaces no instance: it has no canary, and is not the job's first one."""
    groups = (deployment.get("TaskGroups") or {}).values()
    return deployment.get("JobVersion", 0) > 0 and not any(group["DesiredCanaries"] for group in groups)
