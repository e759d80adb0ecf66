"""Runs `upschedule deploy status`: shows the jobs, their instances and their checks at one moment."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from upschedule.deploy.applied import NOT_AS_APPLIED, Applied, read_applied_if_allowed
from upschedule.deploy.consul import instance_checks
from upschedule.deploy.decisions import Decision, decisions_if_allowed
from upschedule.deploy.decisions import lines as decision_lines
from upschedule.deploy.environment import API, JOBS, Cluster
from upschedule.deploy.errors import ExitCode, ServerError
from upschedule.deploy.explain import describe, explain_failure, explain_troubles, short_id
from upschedule.deploy.nomad_model import JobSnapshot
from upschedule.deploy.rollout_state import UNDER_WAY, Phase, RolloutState, derive
from upschedule.deploy.share_status import DocumentShareReport, ShareReport, document_lines
from upschedule.deploy.share_status import lines as share_lines
from upschedule.deploy.supervision.decisions import WatchReport

_EVERY_SECONDS = 2.0
_DECISIONS_SHOWN = 5


class InstanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """One running instance. `complaints` are its failing checks in Consul."""

    id: str
    node: str
    version: int
    canary: bool
    status: str
    complaints: list[str]


class JobReport(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON output of the command.

    `said` is the state in one line, `reasons` why the release under way waits, or the last one failed.

    While the number of instances changes, `wanted_before` is the earlier number. `as_stack` is whether the version is
    what the stack last applied, None where no stack says that or this token may not read it. `share` is the
    API canary's share of the visitors, `document_share` the worker canary's share of the documents, each with the
    comparison. `watch`, of the API, is the watch after the promotion. `decisions` are the last ones about releases as a
    whole, which the API's report shows, the newest first.
    """

    job: str
    phase: Phase
    version: int | None
    release: str | None
    commit: str | None
    wanted: int
    wanted_before: int | None = None
    as_stack: bool | None = None
    said: str
    reasons: list[str]
    instances: list[InstanceReport]
    share: ShareReport | None = None
    watch: WatchReport | None = None
    document_share: DocumentShareReport | None = None
    decisions: list[Decision] = msgspec.field(default_factory=list[Decision])


def job_reports(cluster: Cluster) -> list[JobReport]:
    """Raises DeployError."""
    applied = read_applied_if_allowed(cluster.nomad)
    reports = [_job_report(cluster, name, applied) for name in JOBS]
    decisions = decisions_if_allowed(cluster.nomad)[:_DECISIONS_SHOWN]
    return [msgspec.structs.replace(each, decisions=decisions) if each.job == API else each for each in reports]


def await_complete(cluster: Cluster, *, seconds: float) -> list[JobReport]:
    """Waits until all jobs are healthy and complete, or the time is up.

    It repeats the question while a server does not answer.

    Raises DeployError.
    """
    seen: list[JobReport] = []

    def complete() -> bool:
        try:
            seen[:] = job_reports(cluster)
        except ServerError:
            seen.clear()
        return bool(seen) and is_complete(seen)

    cluster.clock.wait_until(complete, seconds=seconds, every_seconds=_EVERY_SECONDS)
    return seen or job_reports(cluster)


def is_healthy(reports: Iterable[JobReport]) -> bool:
    """Whether no job is changing and all instances pass their checks, regardless of how the last release ended."""
    unhealthy = UNDER_WAY | {Phase.ABSENT, Phase.STOPPED}
    return all(each.phase not in unhealthy and _has_enough(each) for each in reports)


def is_complete(reports: Iterable[JobReport]) -> bool:
    """Whether all jobs are healthy and no number of instances changes, since Nomad refuses to scale a job meanwhile."""
    known = list(reports)
    return is_healthy(known) and all(each.wanted_before is None for each in known)


def waited_exit_code(reports: Iterable[JobReport]) -> ExitCode:
    """The exit code after `await_complete`, regardless of how the last release ended. A pure function."""
    known = list(reports)
    if is_complete(known):
        return ExitCode.DONE
    code = exit_code(known)
    return ExitCode.UNHEALTHY if code is ExitCode.DONE else code


def exit_code(reports: Iterable[JobReport]) -> ExitCode:
    """The exit code for the most serious state: a failure, then a change in progress, then an unhealthy instance.

    A pure function. A rolled-back release no longer counts as a failure once the stack names the running one.
    """
    known = list(reports)
    phases = {each.phase for each in known}
    if Phase.FAILED in phases or any(each.phase is Phase.RETURNED and each.as_stack is not True for each in known):
        return ExitCode.FAILED
    if phases & UNDER_WAY:
        return ExitCode.UNDER_WAY
    if any(each.as_stack is False for each in known):
        return ExitCode.FAILED
    if phases & {Phase.ABSENT, Phase.STOPPED}:
        return ExitCode.UNHEALTHY
    return ExitCode.DONE if is_healthy(known) else ExitCode.UNHEALTHY


def _has_enough(job: JobReport) -> bool:
    """Instances that the autoscaler adds may still start; the earlier ones must be healthy."""
    passing = sum(each.status == "running" and not each.complaints for each in job.instances)
    if job.wanted_before is not None:
        return passing >= min(job.wanted, job.wanted_before)
    return passing == job.wanted


def lines(reports: Iterable[JobReport]) -> list[str]:
    """The text output of the command. A pure function."""
    found: list[str] = []
    known = list(reports)
    for job in known:
        found += [f"{job.job}: {job.said}", *(f"  {reason}" for reason in job.reasons)]
        if job.as_stack is False and job.phase not in UNDER_WAY:
            found.append(f"  {NOT_AS_APPLIED}")
        for each in job.instances:
            state = "checks pass" if each.status == "running" and not each.complaints else each.status
            kind = "canary" if each.canary else "instance"
            found.append(f"  {kind} {short_id(each.id)} on {each.node}, version {each.version}: {state}")
            found += [f"    {complaint}" for complaint in each.complaints]
        found += share_lines(job.share) if job.share else []
        found += document_lines(job.document_share) if job.document_share else []
    decisions = [decision for job in known for decision in job.decisions]
    return found + (["decisions:", *decision_lines(decisions)] if decisions else [])


def _reasons(
    cluster: Cluster, snapshot: JobSnapshot, state: RolloutState, checks: Mapping[str, Sequence[str]]
) -> list[str]:
    found: list[str] = []
    if state.failed:
        found += explain_failure(cluster.nomad, snapshot, state.failed, checks)
    if state.is_under_way and state.deployment and state.deployment is not state.failed:
        found += [line for each in explain_troubles(cluster.nomad, snapshot, state.deployment) for line in each.lines]
    return found


def _job_report(cluster: Cluster, name: str, applied: Applied | None) -> JobReport:
    snapshot = cluster.nomad.job_snapshot(name)
    state = derive(snapshot)
    checks = instance_checks(cluster.consul, state.job, state.instances) if state.job else dict[str, list[str]]()
    meta = (state.job.meta or {}) if state.job else {}
    canaries = {each.id for each in state.canaries} if state.wants_canaries else set[str]()
    return JobReport(
        job=name,
        phase=state.phase,
        version=state.job.version if state.job else None,
        release=meta.get("release"),
        commit=meta.get("commit"),
        wanted=state.job.count if state.job else 0,
        wanted_before=state.count_before if state.is_scaling else None,
        as_stack=applied.is_run_by(state.job) if applied and state.job else None,
        said=describe(snapshot, state),
        reasons=_reasons(cluster, snapshot, state, checks),
        instances=[
            InstanceReport(
                id=each.id,
                node=each.node_name,
                version=each.job_version,
                canary=each.id in canaries,
                status=each.client_status,
                complaints=checks.get(each.id, []),
            )
            for each in state.instances
        ],
    )
