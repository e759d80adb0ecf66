"""`upschedule deploy status`: every job, its instances and their checks, at one moment."""

from collections.abc import Iterable

import msgspec

from upschedule.deploy.checking import complaints_of
from upschedule.deploy.cluster import JOBS, Cluster
from upschedule.deploy.diagnosis import diagnose
from upschedule.deploy.errors import ServerRefused, ServerUnreachable
from upschedule.deploy.exits import ExitCode
from upschedule.deploy.explain import sentence, short
from upschedule.deploy.rollout_state import UNDER_WAY, Phase, judge

_EVERY_SECONDS = 2.0


class InstanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """`complaints` are Consul's: empty means that all checks pass."""

    id: str
    node: str
    version: int
    canary: bool
    status: str
    complaints: list[str]


class JobReport(msgspec.Struct, frozen=True, kw_only=True):
    """`reasons` tell why the last release failed."""

    job: str
    phase: Phase
    version: int | None
    release: str | None
    commit: str | None
    wanted: int
    said: str
    reasons: list[str]
    instances: list[InstanceReport]


def report(cluster: Cluster) -> list[JobReport]:
    """Raises DeployError."""
    return [_job(cluster, name) for name in JOBS]


def await_well(cluster: Cluster, *, seconds: float) -> list[JobReport]:
    """What is reported then, or when the time is up; a server that does not answer is asked again.

    Raises DeployError.
    """
    seen: list[JobReport] = []

    def looks_well() -> bool:
        try:
            seen[:] = report(cluster)
        except (ServerRefused, ServerUnreachable):
            seen.clear()
        return bool(seen) and is_well(seen)

    cluster.clock.until(looks_well, seconds=seconds, every_seconds=_EVERY_SECONDS)
    return seen or report(cluster)


def is_well(reports: Iterable[JobReport]) -> bool:
    """Whether nothing is under way and all instances pass their checks, however the last release ended. Pure."""
    unwell = UNDER_WAY | {Phase.ABSENT, Phase.STOPPED}
    return all(each.phase not in unwell and _passing(each) == each.wanted for each in reports)


def exit_code(reports: Iterable[JobReport]) -> ExitCode:
    """The failure first, then what is under way, then an instance that is not well. Pure."""
    known = list(reports)
    phases = {each.phase for each in known}
    if phases & {Phase.FAILED, Phase.RETURNED}:
        return ExitCode.FAILED
    if phases & UNDER_WAY:
        return ExitCode.UNDER_WAY
    if phases & {Phase.ABSENT, Phase.STOPPED}:
        return ExitCode.UNHEALTHY
    return ExitCode.DONE if is_well(known) else ExitCode.UNHEALTHY


def _passing(job: JobReport) -> int:
    return sum(each.status == "running" and not each.complaints for each in job.instances)


def lines(reports: Iterable[JobReport]) -> list[str]:
    """For a person. Pure."""
    said: list[str] = []
    for job in reports:
        said += [f"{job.job}: {job.said}", *(f"  {reason}" for reason in job.reasons)]
        for each in job.instances:
            state = "checks pass" if each.status == "running" and not each.complaints else each.status
            kind = "canary" if each.canary else "instance"
            said.append(f"  {kind} {short(each.id)} on {each.node}, version {each.version}: {state}")
            said += [f"    {complaint}" for complaint in each.complaints]
    return said


def _job(cluster: Cluster, name: str) -> JobReport:
    snapshot = cluster.nomad.snapshot(name)
    now = judge(snapshot)
    complaints = complaints_of(cluster, now.job, now.instances) if now.job else dict[str, list[str]]()
    meta = (now.job.meta or {}) if now.job else {}
    canaries = {each.id for each in now.canaries} if now.wants_canaries else set[str]()
    return JobReport(
        job=name,
        phase=now.phase,
        version=now.job.version if now.job else None,
        release=meta.get("release"),
        commit=meta.get("commit"),
        wanted=now.job.count if now.job else 0,
        said=sentence(snapshot, now),
        reasons=diagnose(cluster.nomad, snapshot, now.failed, complaints) if now.failed else [],
        instances=[
            InstanceReport(
                id=each.id,
                node=each.node_name,
                version=each.job_version,
                canary=each.id in canaries,
                status=each.client_status,
                complaints=complaints.get(each.id, []),
            )
            for each in now.instances
        ],
    )
