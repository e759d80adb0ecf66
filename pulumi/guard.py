"""Checks before Pulumi changes anything: refuses a release beside another, warns of drift, records what runs."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pulumi

from upschedule.deploy.applied import Applied, read_applied
from upschedule.deploy.environment import records_max_from
from upschedule.deploy.errors import DeployError, ServerError, ServerUnreachable
from upschedule.deploy.http import BRIEF
from upschedule.deploy.nomad import NomadClient, nomad_endpoint
from upschedule.deploy.nomad_model import ACTIVE
from upschedule.deploy.records.recorder import Recorder
from upschedule.deploy.rollout_state import derive

#: Bound of the wait for a change of the number of instances, which ends once they have started.
PATIENCE_SECONDS = 180
_POLL_SECONDS = 2
#: Longest wait for an answer of Nomad.
ANSWER_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """The release that the job was last registered with (empty: none), and the state of its last deployment.

    `scaling`: that deployment only changes the number of instances, as the autoscaler does (`RolloutState.is_scaling`).
    `secrets` and `settings` are the hashes in its meta data; a job of an earlier program has none.
    """

    job: str
    release: str
    deployment: str
    scaling: bool = False
    secrets: str | None = None
    settings: str | None = None

    def differences(self, applied: Applied) -> list[str]:
        """Names what the job does not have of the applied release, secrets and settings."""
        named = {"release": self.release, "secrets": self.secrets, "settings": self.settings}
        return applied.differences({name: value for name, value in named.items() if value is not None})


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
            f"Release {wanted} must wait: another release is still in progress in {jobs}. "
            "Promote or revert it first: `upschedule deploy status`."
        )


class NomadSilent(pulumi.RunError):
    """Nomad cannot be asked whether a release is under way, so none may begin."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"Nomad at {address} does not say whether a release is in progress: {reason}")


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


def read_rollouts(jobs: Iterable[str], namespace: str, *, answer_seconds: float = ANSWER_SECONDS) -> list[Rollout]:
    """Reads the jobs from the Nomad that the environment's NOMAD_… variables name. Raises NomadSilent."""
    try:
        return [_read_rollout(_nomad(namespace, answer_seconds), job) for job in jobs]
    except ServerError as error:
        raise NomadSilent(nomad_endpoint(os.environ).address, error.reason) from error


def warn_of_drift(wanted: str, jobs: Iterable[str], namespace: str) -> None:
    """Pulumi compares a stack with its own state, so `up` changes nothing after a rollback. Raises NomadSilent."""
    try:
        last = read_applied(_nomad(namespace))
    except ServerError as error:
        raise NomadSilent(nomad_endpoint(os.environ).address, error.reason) from error
    if last and (text := drift(wanted, last, read_rollouts(jobs, namespace))):
        pulumi.log.warn(text)


def drift(wanted: str, last: Applied, rollouts: Iterable[Rollout]) -> str:
    """How to put right that something else runs than the stack believes; empty where `up` does. A pure function.

    Secrets and settings of the stack are not known before its resources are defined, so it is not known whether `up`
    will change them.
    """
    if wanted != last.release:
        return ""
    left = {each: found for each in rollouts if each.release and (found := each.differences(last))}
    if not left:
        return ""
    running = ", ".join(f"{each.job} runs {each.release}{_with(found)}" for each, found in left.items())
    if any("release" in found for found in left.values()):
        what, unless = "that release", ""
    else:
        what, unless = "what the stack applied", ", unless you have changed the stack since"
    return (
        f"The stack names release {wanted} and has applied it before, but {running}: {what} was rolled back. "
        f"`pulumi up` alone changes nothing{unless}. To stay with what runs, set the stack back as "
        f"docs/runbooks/revert.md says; to start {wanted} again, run `pulumi up --refresh`."
    )


def _with(differences: Sequence[str]) -> str:
    return "" if "release" in differences else f" with other {' and '.join(differences)}"


def record_what_runs(jobs: Sequence[str], namespace: str) -> None:
    """Records the release that has settled, so that the next one can be reverted however it is promoted."""
    try:
        Recorder(_nomad(namespace), jobs=jobs, records_max=records_max_from(os.environ)).record()
    except ServerUnreachable as error:
        raise NomadSilent(nomad_endpoint(os.environ).address, error.reason) from error
    except DeployError as error:
        pulumi.log.warn(f"What runs is not recorded, so `upschedule deploy revert` may not find it: {error}")


def _nomad(namespace: str, answer_seconds: float = ANSWER_SECONDS) -> NomadClient:
    endpoint = nomad_endpoint(os.environ)
    return NomadClient(endpoint, query={"namespace": namespace}, retries=BRIEF, read_seconds=answer_seconds)


def _read_rollout(nomad: NomadClient, job: str) -> Rollout:
    snapshot = nomad.job_snapshot(job)
    state = derive(snapshot)
    meta = (state.job.meta or {}) if state.job else {}
    return Rollout(
        job=job,
        release=meta.get("release", ""),
        deployment=snapshot.deployments[0].status if snapshot.deployments else "",
        scaling=state.is_scaling,
        secrets=meta.get("secrets"),
        settings=meta.get("settings"),
    )
