"""Where a job's release stands, told from one look at Nomad. Pure."""

import enum

import msgspec

from upschedule.deploy import history
from upschedule.deploy.nomad_model import Allocation, Deployment, Job, Snapshot


class Phase(enum.StrEnum):
    """`returning` and `returned`: Nomad brings, or has brought, the earlier version back after a failure."""

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
#: Phases of a job whose last release did not get through.
LOST = frozenset({Phase.RETURNING, Phase.RETURNED, Phase.FAILED, Phase.ABSENT, Phase.STOPPED})


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """`job` is the newest version, `deployment` its own, `failed` the deployment that was left because it failed.

    `leaving` are told to stop and still run, `canaries` are those of `deployment`, `promotable` once all of them are
    healthy and not promoted. `fingerprint` and `index` are of the newest version's specification and registration.
    """

    name: str
    phase: Phase
    job: Job | None = None
    deployment: Deployment | None = None
    failed: Deployment | None = None
    failed_release: str = ""
    fingerprint: str = ""
    index: int = 0
    instances: tuple[Allocation, ...] = ()
    leaving: tuple[Allocation, ...] = ()
    canaries: tuple[Allocation, ...] = ()
    promotable: bool = False

    @property
    def is_under_way(self) -> bool:
        return self.phase in UNDER_WAY

    @property
    def wants_canaries(self) -> bool:
        """Whether an active deployment goes through canaries that are not promoted yet."""
        return self.deployment is not None and self.deployment.is_active and self.deployment.needs_promotion


def judge(snapshot: Snapshot) -> Situation:
    """What the newest version of the job has come to."""
    if not snapshot.versions:
        return Situation(name=snapshot.name, phase=Phase.ABSENT)
    job = snapshot.versions[0]
    deployment = _of_version(snapshot, job.version)
    before = _of_version(snapshot, job.version - 1)
    failed = before if before and before.goes_back else None
    canaries = _canaries(snapshot, deployment)
    left = failed or (deployment if deployment and deployment.status == "failed" else None)
    return Situation(
        name=snapshot.name,
        phase=_phase(snapshot, job, deployment, failed, canaries),
        job=job,
        deployment=deployment,
        failed=left,
        failed_release=release_of(snapshot, left.job_version) if left else "",
        fingerprint=history.fingerprint(snapshot.specifications[0]),
        index=snapshot.specifications[0]["JobModifyIndex"],
        instances=tuple(each for each in snapshot.allocations if each.is_wanted),
        leaving=tuple(each for each in snapshot.allocations if each.is_leaving),
        canaries=canaries,
        promotable=_all_healthy(deployment, canaries),
    )


def _phase(
    snapshot: Snapshot,
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
        return Phase.RETURNING if deployment.goes_back else Phase.FAILED
    return Phase.RETURNED if failed else Phase.SETTLED


def _active(deployment: Deployment, canaries: tuple[Allocation, ...]) -> Phase:
    if not deployment.needs_promotion:
        return Phase.ROLLING
    return Phase.WAITING if _all_healthy(deployment, canaries) else Phase.STARTING


def _of_version(snapshot: Snapshot, number: int) -> Deployment | None:
    return next((each for each in snapshot.deployments if each.job_version == number), None)


def _canaries(snapshot: Snapshot, deployment: Deployment | None) -> tuple[Allocation, ...]:
    placed = set(deployment.canaries) if deployment else set[str]()
    return tuple(each for each in snapshot.allocations if each.id in placed and each.is_wanted)


def _all_healthy(deployment: Deployment | None, canaries: tuple[Allocation, ...]) -> bool:
    if deployment is None or not deployment.is_active or not deployment.needs_promotion:
        return False
    return len(canaries) >= deployment.canaries_desired and all(each.is_healthy for each in canaries)


def _runs_everywhere(snapshot: Snapshot, job: Job) -> bool:
    running = [each for each in snapshot.allocations if each.is_wanted]
    return len(running) == job.count and all(each.job_version == job.version for each in running)


def release_of(snapshot: Snapshot, number: int) -> str:
    """The release that a version is of."""
    job = history.version(snapshot, number)
    return job.release if job else "no longer known"
