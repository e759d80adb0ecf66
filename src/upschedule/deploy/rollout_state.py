"""Derives the state of a job's release from one snapshot of Nomad. Pure functions."""

import enum
import itertools
from collections.abc import Iterable
from typing import Any

import msgspec

from upschedule.deploy import history
from upschedule.deploy.nomad_model import Allocation, Deployment, Job, JobSnapshot


class Phase(enum.StrEnum):
    """`returning` and `returned`: after a failure, Nomad returns to the earlier version, or has returned to it."""

    ABSENT = "absent"
    STOPPED = "stopped"
    STARTING = "starting"
    WAITING = "waiting"
    ROLLING = "rolling"
    RETURNING = "returning"
    SETTLED = "settled"
    RETURNED = "returned"
    FAILED = "failed"


UNDER_WAY = frozenset({Phase.STARTING, Phase.WAITING, Phase.ROLLING, Phase.RETURNING})
#: Phases of a job whose latest release was not promoted successfully.
LOST = frozenset({Phase.RETURNING, Phase.RETURNED, Phase.FAILED, Phase.ABSENT, Phase.STOPPED})


class RolloutState(msgspec.Struct, frozen=True, kw_only=True):
    """`job` is the newest version, `deployment` its own, `failed` the deployment that failed.

    `leaving` should stop and still run, `canaries` belong to `deployment`, `promotable` is true while all of them are
    healthy and not promoted. `fingerprint` and `index` are of the newest version's specification and registration,
    `failed_fingerprint` and `failed_key` (`Job.release_key`) are those of the version that failed, while Nomad knows
    it. `is_scaling`: the newest version differs from the previous one in the number of instances only, and not all of
    them are there yet; `count_before` is then the lowest number since the last one that was reached.
    `release_versions` are the newest version and those from which it was scaled.
    """

    name: str
    phase: Phase
    job: Job | None = None
    deployment: Deployment | None = None
    failed: Deployment | None = None
    failed_release: str = ""
    failed_fingerprint: str = ""
    failed_key: tuple[str, ...] = ()
    specification: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    fingerprint: str = ""
    index: int = 0
    is_scaling: bool = False
    count_before: int = 0
    release_versions: frozenset[int] = frozenset()
    instances: tuple[Allocation, ...] = ()
    leaving: tuple[Allocation, ...] = ()
    canaries: tuple[Allocation, ...] = ()
    promotable: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of instances by group."""
        return {group.name: group.count for group in self.job.task_groups} if self.job else {}

    @property
    def is_under_way(self) -> bool:
        return self.phase in UNDER_WAY

    @property
    def is_lost(self) -> bool:
        return self.phase in LOST

    @property
    def wants_canaries(self) -> bool:
        """Whether an active deployment has canaries that are not promoted yet."""
        return self.deployment is not None and self.deployment.is_active and self.deployment.needs_promotion


def derive(snapshot: JobSnapshot) -> RolloutState:
    """The state of the job's newest version."""
    if not snapshot.versions:
        return RolloutState(name=snapshot.name, phase=Phase.ABSENT)
    job = snapshot.versions[0]
    deployment = _deployment_of(snapshot, job.version)
    scaled_from = _scaled_from(snapshot, deployment)
    scalings = _scalings(snapshot)
    before = _deployment_of(snapshot, job.version - 1)
    failed = before if before and before.reverts_automatically else None
    canaries = _canaries(snapshot, deployment)
    given_up = failed or (deployment if deployment and deployment.status == "failed" else None)
    failed_job = history.find_version(snapshot, given_up.job_version) if given_up else None
    return RolloutState(
        name=snapshot.name,
        phase=Phase.SETTLED if scaled_from else _phase(snapshot, job, deployment, failed, canaries),
        job=job,
        deployment=deployment,
        failed=given_up,
        failed_release=(failed_job.release if failed_job else "no longer known") if given_up else "",
        failed_fingerprint=_fingerprint_of(snapshot, given_up.job_version) if given_up else "",
        failed_key=failed_job.release_key if failed_job else (),
        specification=snapshot.specifications[0],
        fingerprint=history.fingerprint(snapshot.specifications[0]),
        index=snapshot.specifications[0]["JobModifyIndex"],
        is_scaling=scaled_from is not None,
        count_before=_lowest_count(snapshot, scalings[1:]) if scaled_from else job.count,
        release_versions=frozenset(each.version for each in scalings),
        instances=tuple(each for each in snapshot.allocations if each.is_wanted),
        leaving=tuple(each for each in snapshot.allocations if each.is_leaving),
        canaries=canaries,
        promotable=_all_healthy(deployment, canaries),
    )


def _scaled_from(snapshot: JobSnapshot, deployment: Deployment | None) -> Job | None:
    """The version before the newest, while Nomad still changes the number of instances from that version's."""
    job, *earlier = snapshot.versions
    if job.stop or not earlier or earlier[0].stop or earlier[0].count == job.count:
        return None
    newest, before, *_ = map(history.fingerprint, snapshot.specifications[:2])
    if newest != before or (deployment and deployment.needs_promotion):
        return None
    ended = not deployment.is_active if deployment else _runs_everywhere(snapshot, job)
    return None if ended else earlier[0]


def _scalings(snapshot: JobSnapshot) -> list[Job]:
    """The newest version and, newest first, those before it that differ in the number of instances only."""
    newest = history.fingerprint(snapshot.specifications[0])
    pairs = zip(snapshot.versions, snapshot.specifications, strict=True)
    return [job for job, _ in itertools.takewhile(lambda pair: history.fingerprint(pair[1]) == newest, pairs)]


def _lowest_count(snapshot: JobSnapshot, scalings: Iterable[Job]) -> int:
    """The lowest number in `scalings` since the last one that ended: numbers in between may not have been reached."""
    counts: list[int] = []
    for job in scalings:
        counts.append(job.count)
        deployment = _deployment_of(snapshot, job.version)
        if deployment and deployment.status == "successful":
            break
    return min(counts)


def _phase(
    snapshot: JobSnapshot,
    job: Job,
    deployment: Deployment | None,
    failed: Deployment | None,
    canaries: tuple[Allocation, ...],
) -> Phase:
    if job.stop:
        return Phase.STOPPED
    if deployment is None or deployment.status == "cancelled":
        return Phase.SETTLED if _runs_everywhere(snapshot, job) else Phase.STARTING
    if not deployment.is_active:
        return _ended(deployment, failed)
    if failed:
        return Phase.RETURNING
    return _active(deployment, canaries)


def _ended(deployment: Deployment, failed: Deployment | None) -> Phase:
    if deployment.status == "failed":
        return Phase.RETURNING if deployment.reverts_automatically else Phase.FAILED
    return Phase.RETURNED if failed else Phase.SETTLED


def _active(deployment: Deployment, canaries: tuple[Allocation, ...]) -> Phase:
    if not deployment.needs_promotion:
        return Phase.ROLLING
    return Phase.WAITING if _all_healthy(deployment, canaries) else Phase.STARTING


def _deployment_of(snapshot: JobSnapshot, version: int) -> Deployment | None:
    return next((each for each in snapshot.deployments if each.job_version == version), None)


def _canaries(snapshot: JobSnapshot, deployment: Deployment | None) -> tuple[Allocation, ...]:
    placed = set(deployment.canaries) if deployment else set[str]()
    return tuple(each for each in snapshot.allocations if each.id in placed and each.is_wanted)


def _all_healthy(deployment: Deployment | None, canaries: tuple[Allocation, ...]) -> bool:
    if deployment is None or not deployment.is_active or not deployment.needs_promotion:
        return False
    return len(canaries) >= deployment.canaries_desired and all(each.is_healthy for each in canaries)


def _runs_everywhere(snapshot: JobSnapshot, job: Job) -> bool:
    running = [each for each in snapshot.allocations if each.is_wanted]
    return len(running) == job.count and all(each.job_version == job.version for each in running)


def _fingerprint_of(snapshot: JobSnapshot, version: int) -> str:
    found = (each for each in snapshot.specifications if each["Version"] == version)
    return next(map(history.fingerprint, found), "")
