"""`upschedule deploy revert`, and the rollback of all jobs to the release before."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus

import msgspec

from upschedule.deploy import history
from upschedule.deploy.environment import Cluster
from upschedule.deploy.errors import ExitCode, ServerRefused
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.rollout_state import Phase, RolloutState, derive
from upschedule.deploy.watch import Watcher


class RollbackPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`bad` is the fingerprint of the version to leave; `target` replaces it, None when Nomad has no earlier one."""

    bad: str
    target: history.EarlierVersion | None


def rollback_plans(nomad: NomadClient, jobs: Iterable[str]) -> dict[str, RollbackPlan]:
    """By job. Make them before the first change."""
    plans: dict[str, RollbackPlan] = {}
    for name in jobs:
        snapshot = nomad.job_snapshot(name)
        if not snapshot.versions:
            continue
        returning = derive(snapshot).phase is Phase.RETURNING and len(snapshot.specifications) > 1
        # While Nomad has yet to register the earlier version again, the failed release is still the newest version.
        bad = 1 if returning and not snapshot.deployments[0].reverts_automatically else 0
        plans[name] = RollbackPlan(
            bad=history.fingerprint(snapshot.specifications[bad]), target=history.stable_version_before(snapshot)
        )
    return plans


class Rollback:
    """Takes each action once, and only while the job still needs it."""

    def __init__(self, cluster: Cluster, watcher: Watcher, plans: Mapping[str, RollbackPlan]) -> None:
        self._cluster = cluster
        self._watcher = watcher
        self._plans = plans
        self._taken: set[str] = set()
        self._given_up: set[str] = set()

    def run(self, *, seconds: float) -> bool:
        """Whether all jobs run their earlier release."""
        in_time, _ = self._watcher.wait_until(self._step, seconds=seconds)
        if not in_time:
            self._cluster.report(
                f"The earlier release is not back after {seconds:g} s: look at `upschedule deploy status`."
            )
        return in_time and not self._given_up

    def _step(self, states: Mapping[str, RolloutState]) -> bool:
        # A list: every job acts before any is waited for.
        done = [self._is_done(states[name], plan) for name, plan in self._plans.items()]
        return all(done)

    def _is_done(self, state: RolloutState, plan: RollbackPlan) -> bool:
        if state.name in self._given_up:
            return True
        if state.fingerprint != plan.bad:
            return self._finish(state)
        if state.deployment and state.deployment.is_active:
            self._take(f"{state.name}: failing the deployment of its canary or roll-out", "fail", state.deployment.id)
        elif state.phase is not Phase.RETURNING:
            self._register(state, plan)
        return False

    def _finish(self, state: RolloutState) -> bool:
        if state.phase is Phase.FAILED:
            self._give_up(state.name, "the earlier release does not become healthy either")
            return True
        if state.promotable and state.deployment:
            text = f"{state.name}: an instance of the earlier release is healthy, the others follow"
            self._take(text, "promote", state.deployment.id)
        return state.phase in {Phase.SETTLED, Phase.RETURNED}

    def _register(self, state: RolloutState, plan: RollbackPlan) -> None:
        target = plan.target
        if target is None:
            self._give_up(
                state.name, "Nomad knows no earlier stable version. Set the earlier release in the stack, `pulumi up`."
            )
            return
        key = f"register {state.name} {state.index}"
        if key not in self._taken:
            self._cluster.report(
                f"{state.name}: starting version {target.job.version} again, release {target.job.release}"
            )
            self._cluster.nomad.register_job(target.specification, over=state.index)
            self._taken.add(key)

    def _take(self, text: str, action: str, deployment: str) -> None:
        if f"{action} {deployment}" in self._taken:
            return
        self._cluster.report(text)
        nomad = self._cluster.nomad
        try:
            (nomad.fail_deployment if action == "fail" else nomad.promote_deployment)(deployment)
        except ServerRefused as error:
            if error.status == HTTPStatus.FORBIDDEN:
                raise
            # The deployment ended or changed since the poll: the next poll decides.
            self._cluster.report(f"  {error}")
            return
        self._taken.add(f"{action} {deployment}")

    def _give_up(self, job: str, reason: str) -> None:
        self._cluster.report(f"{job}: {reason}")
        self._given_up.add(job)


def jobs_to_revert(states: Mapping[str, RolloutState]) -> list[str]:
    """The jobs under way. Else, after a failure, those that still run the release that failed elsewhere. Else all.

    Pure. So a second call right after a rollback changes nothing.
    """
    under_way = [name for name, each in states.items() if each.is_under_way]
    if under_way:
        return under_way
    failed = {each.failed_release for each in states.values() if each.phase is Phase.RETURNED}
    return [
        name
        for name, each in states.items()
        if each.job
        and (each.phase is Phase.FAILED or (each.phase is Phase.SETTLED and (not failed or each.job.release in failed)))
    ]


def revert(cluster: Cluster, watcher: Watcher, *, seconds: float) -> ExitCode:
    """Fails what is under way; else starts the stable version before the present one, with as many instances.

    `seconds` limits the time until the earlier release runs everywhere.
    """
    states = watcher.poll()
    jobs = jobs_to_revert(states)
    if not jobs:
        cluster.report("Nothing to revert: the earlier release is back already, or none was ever started.")
        return ExitCode.DONE
    if states[jobs[0]].is_under_way:
        cluster.report(f"A change of {', '.join(jobs)} is under way: it is failed, and what ran before stays.")
    else:
        cluster.report(f"Nothing is under way: {', '.join(jobs)} go back to the stable version before this one.")
    if Rollback(cluster, watcher, rollback_plans(cluster.nomad, jobs)).run(seconds=seconds):
        cluster.report("The earlier release runs on all instances. The stack still names the other: set it back.")
        return ExitCode.DONE
    return ExitCode.NOT_REVERTED
