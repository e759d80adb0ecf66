"""Checks canaries before their promotion: health, Consul's checks, golden documents, and shares of live work."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from upschedule.deploy.compared_documents import DOCUMENTS
from upschedule.deploy.compared_visitors import VISITORS, CanaryInstance
from upschedule.deploy.consul import instance_checks
from upschedule.deploy.decisions import DecisionKind, record_gate
from upschedule.deploy.environment import API, WORKER, Cluster
from upschedule.deploy.errors import DeployError
from upschedule.deploy.explain import short_id
from upschedule.deploy.findings import Finding, failures, passed, undecided
from upschedule.deploy.nomad_model import Allocation, Job
from upschedule.deploy.probe import Probe
from upschedule.deploy.probe.metrics import MetricBounds
from upschedule.deploy.restarts import restart_sentences, restarts_finding
from upschedule.deploy.rollout_state import Phase, RolloutState
from upschedule.deploy.share import address_of
from upschedule.deploy.shared_traffic import SharedTraffic, ShareLimits, WorkerCanary, not_compared
from upschedule.deploy.silence import repeat_while_silent
from upschedule.deploy.watch import Watcher

_CHECKS_EVERY_SECONDS = 2.0
States = Mapping[str, RolloutState]


class GateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The time limit of each step, and the number of requests to the canary.

    `canary_seconds` exceeds the jobs' `healthy_deadline`, so that Nomad gives up first and says why.
    """

    canary_seconds: float = 1200.0
    checks_seconds: float = 60.0
    route_seconds: float = 10.0
    golden_seconds: float = 180.0
    prometheus_seconds: float = 60.0
    drain_seconds: float = 120.0
    rolling_seconds: float = 1800.0
    return_seconds: float = 900.0
    requests: int = 40
    bounds: MetricBounds = MetricBounds()
    share: ShareLimits = ShareLimits()


@dataclass(frozen=True, kw_only=True)
class ReleaseContext:
    """The context of gate, promotion and verification. The probe deletes the data that it creates."""

    cluster: Cluster
    probe: Probe
    limits: GateLimits
    watcher: Watcher

    def check_instances(
        self, job: Job, instances: Iterable[Allocation], *, kind: str, enough: int | None = None
    ) -> Finding:
        """Waits until all checks pass for `enough` instances, or for all, and while Consul is silent.

        `kind` is their plural for the finding.
        """
        cluster, known = self.cluster, list(instances)
        failing: Mapping[str, list[str]] = {}
        needed = len(known) if enough is None else enough

        def passing_now() -> int:
            return sum(not failing.get(each.id) for each in known)

        def all_pass() -> bool:
            nonlocal failing
            failing = repeat_while_silent(
                lambda: instance_checks(cluster.consul, job, known),
                clock=cluster.clock,
                seconds=cluster.silence_seconds,
                report=cluster.report,
            )
            return passing_now() >= needed

        subject = f"{job.id}: checks in Consul"
        try:
            passing = cluster.clock.wait_until(
                all_pass, seconds=self.limits.checks_seconds, every_seconds=_CHECKS_EVERY_SECONDS
            )
        except DeployError as error:
            return Finding(subject=subject, ok=False, unsure=error.is_silence, detail=str(error))
        sentences = [f"instance {short_id(id_)} {each}" for id_, checks in failing.items() for each in checks]
        detail = f"all pass on {passing_now()} {kind}" if passing else "; ".join(sentences)
        return Finding(subject=subject, ok=passing and bool(known), detail=detail)

    def restarts(self, waiting: States, process_starts: Mapping[str, float] = MappingProxyType({})) -> list[str]:
        """The restarts of the release's instances, as of the watcher's last poll."""
        versions = {name: each.job.version for name, each in waiting.items() if each.job}
        return restart_sentences(self.watcher.snapshots, versions, process_starts)

    def check_restarts(self, waiting: States, *, name: str) -> Finding:
        """Polls, and also asks Prometheus for the starts of processes. `name` says whose restarts they are."""
        states = self.watcher.poll()
        instances = [each.id for job in waiting for each in states[job].instances]
        return restarts_finding(self.restarts(waiting, self.probe.process_starts(instances)), name=name)


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """`states` are those of all jobs after the canaries, `waiting` those of the jobs that wait for promotion."""

    findings: list[Finding]
    states: dict[str, RolloutState]
    waiting: dict[str, RolloutState]

    @property
    def passed(self) -> bool:
        return passed(self.findings)

    @property
    def unsure(self) -> bool:
        """Nothing is wrong, but the comparison with the old release is uncertain, or a server was silent."""
        return undecided(self.findings)


def run_gate(context: ReleaseContext) -> GateResult:
    """Stops at the first step that fails. Changes nothing in the cluster but the canaries' shares, which it removes.

    Records its result where it checked a canary.
    """
    result = _checked(context)
    if result.waiting:
        kind, verdict = _verdict(result)
        record_gate(context.cluster, result.states, kind, verdict)
    return result


def _verdict(result: GateResult) -> tuple[DecisionKind, str]:
    """Says what is wrong, or what the comparisons found if the gate is passed."""
    if not result.passed:
        kind = DecisionKind.GATE_NOT_SURE if result.unsure else DecisionKind.GATE_NOT_PASSED
        return kind, "; ".join(failures(result.findings))
    compared = [each.detail for each in result.findings if each.subject in {VISITORS, DOCUMENTS}]
    return DecisionKind.GATE_PASSED, "; ".join(compared) or "nothing was compared"


def _checked(context: ReleaseContext) -> GateResult:
    result = await_canaries(context)
    findings, waiting = result.findings, result.waiting
    if waiting and passed(findings):
        # Checked first, since a canary that was killed needs no further checks.
        restarts = context.check_restarts(waiting, name="the canaries")
        findings += [] if restarts.ok else [restarts]
    if waiting and passed(findings):
        findings += [_canary_checks(context, each) for each in waiting.values()]
    if waiting and passed(findings):
        findings += _probe_canaries(context, waiting)
        if waiting.keys() & {API, WORKER} and passed(findings):
            findings += _shared_traffic(context, waiting)
        findings.append(_same_canaries(context, waiting))
        findings.append(context.check_restarts(waiting, name="the canaries"))
    return result


def await_canaries(context: ReleaseContext) -> GateResult:
    """Waits until the canaries of all jobs under way are healthy, or the release of one of the jobs is lost."""
    concerned = [name for name, each in context.watcher.poll().items() if each.is_under_way]

    def decided(states: States) -> bool:
        mine = [states[name] for name in concerned]
        return any(each.is_lost for each in mine) or all(
            each.phase is Phase.WAITING or not each.is_under_way for each in mine
        )

    _, last = context.watcher.wait_until(decided, seconds=context.limits.canary_seconds)
    findings = [_canary(last[name], context.limits) for name in concerned]
    findings += failed_before(last, concerned)
    waiting = {name: last[name] for name in concerned if last[name].phase is Phase.WAITING}
    return GateResult(findings=findings, states=dict(last), waiting=waiting)


def _canary_checks(context: ReleaseContext, state: RolloutState) -> Finding:
    if state.job is None:
        return Finding(subject=state.name, ok=False, detail="is gone")
    return context.check_instances(state.job, state.canaries, kind="canaries")


def _probe_canaries(context: ReleaseContext, waiting: States) -> list[Finding]:
    if API not in waiting:
        detail = "not asked for anything: the API is not part of this change"
        return [Finding(subject="canary of the API", ok=True, detail=detail)]
    return context.probe.canary(
        [each.id for each in waiting[API].canaries],
        requests=context.limits.requests,
        bounds=context.limits.bounds,
        seconds=context.limits.prometheus_seconds,
        route_seconds=context.limits.route_seconds,
    )


def _shared_traffic(context: ReleaseContext, waiting: States) -> list[Finding]:
    cluster = context.cluster
    api, worker = waiting.get(API), waiting.get(WORKER)
    try:
        canary = _api_canary(cluster, api.canaries[0].id) if api else None
    except DeployError as error:
        return [not_compared(error)]
    traffic = SharedTraffic(
        nomad=cluster.nomad,
        prometheus=context.probe.prometheus,
        site=context.probe.site,
        clock=cluster.clock,
        report=cluster.report,
        limits=context.limits.share,
        silence_seconds=cluster.silence_seconds,
    )
    return traffic.findings(
        canary,
        live=_live(api) if api else 0,
        worker=WorkerCanary(instance=worker.canaries[0].id, live=_live(worker)) if worker else None,
        still_well=lambda: canaries_well(context, waiting),
    )


def _api_canary(cluster: Cluster, instance: str) -> CanaryInstance:
    return CanaryInstance(instance=instance, address=address_of(cluster.nomad, instance))


def _live(state: RolloutState) -> int:
    return len(state.instances) - len(state.canaries)


def canaries_well(context: ReleaseContext, waiting: States) -> bool:
    """Polls. A canary that Nomad has started again waits as before, so its restarts count as well."""
    return _still_waiting(context, waiting) and not context.restarts(waiting)


def _same_canaries(context: ReleaseContext, waiting: States) -> Finding:
    """Canaries that were healthy before the probe must still be healthy after it."""
    same = _still_waiting(context, waiting)
    detail = "the same ones as at the beginning" if same else "a canary failed, or was replaced, meanwhile"
    return Finding(subject="canaries after all that", ok=same, detail=detail)


def _still_waiting(context: ReleaseContext, waiting: States) -> bool:
    states = context.watcher.poll()
    return all(
        states[name].phase is Phase.WAITING and states[name].deployment == before.deployment
        for name, before in waiting.items()
    )


def _canary(state: RolloutState, limits: GateLimits) -> Finding:
    subject = f"{state.name}: canary in Nomad"
    if state.phase is Phase.WAITING:
        names = ", ".join(short_id(each.id) for each in state.canaries)
        return Finding(subject=subject, ok=True, detail=f"healthy: {names}")
    if state.phase is Phase.SETTLED:
        return Finding(subject=subject, ok=True, detail="rolled out without a canary")
    if state.is_lost:
        return Finding(subject=subject, ok=False, detail=f"release {state.failed_release} failed; why is said above")
    detail = f"not healthy after {limits.canary_seconds:g} s: still {state.phase.value}"
    return Finding(subject=subject, ok=False, detail=detail)


def failed_before(last: States, concerned: list[str]) -> list[Finding]:
    """A release is promoted as a whole: not when another of its jobs has failed already. A pure function."""
    releases = {job.release_key for name in concerned if (job := last[name].job)}
    return [
        Finding(subject=f"{name}: canary in Nomad", ok=False, detail=f"release {each.failed_release} failed before")
        for name, each in last.items()
        if name not in concerned and each.is_lost and each.failed_key in releases
    ]
