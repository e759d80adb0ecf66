"""Runs `upschedule deploy revert`, and rolls all jobs back to the previous release."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from upschedule.deploy.applied import Applied, read_applied_if_allowed
from upschedule.deploy.decisions import DecisionKind, record_decision
from upschedule.deploy.environment import Cluster
from upschedule.deploy.errors import ExitCode, PartlyKnown, ServerRefused, ServerUnreachable
from upschedule.deploy.preflight import problems_of
from upschedule.deploy.recording import record_release, record_result
from upschedule.deploy.records.model import ReleaseRecord, identity_of, make_record, with_counts
from upschedule.deploy.records.recorder import record_before
from upschedule.deploy.rollout_state import Phase, RolloutState
from upschedule.deploy.watch import Watcher

States = Mapping[str, RolloutState]
_BACK = frozenset({Phase.SETTLED, Phase.RETURNED})
_GONE = frozenset({Phase.ABSENT, Phase.STOPPED})
_FAILED_BEFORE = frozenset({Phase.RETURNING, Phase.RETURNED})
#: Nomad's words for a job that changed since it was read.
_CHANGED_MEANWHILE = "Enforcing job modify index"


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """The version that one job has to run. `target` is None without a record: then only Nomad can restore a version.

    `bad` is the fingerprint of the version to leave. Without `bad`, only `target` itself will do; with it, also another
    stable version of the target's release, to which Nomad may return through `auto_revert`.
    """

    job: str
    bad: str | None = None
    target: dict[str, Any] | None = None
    fingerprint: str = ""
    label: str = ""
    key: tuple[str, ...] = ()

    def is_met(self, state: RolloutState) -> bool:
        """Whether the newest version is the wanted one, in any phase."""
        if state.job is None or state.phase in _GONE:
            return False
        if self.bad is None:
            return state.fingerprint == self.fingerprint
        return state.fingerprint != self.bad and (self.target is None or state.job.release_key == self.key)


def exact_goal(record: ReleaseRecord, job: str) -> Goal:
    """The recorded version, and no other."""
    recorded = record.job(job)
    return Goal(
        job=job,
        target=record.specifications[job],
        fingerprint=record.fingerprint(job),
        label=recorded.release,
        key=recorded.release_key,
    )


def undo_goals(states: States, jobs: Iterable[str], record: ReleaseRecord | None) -> list[Goal]:
    """The goals of `jobs`, and of each job that already runs the release that is still being rolled out in `jobs`.

    Call this function before anything is changed. `record` is the last release that ran in all jobs.
    """
    named = list(jobs)
    under_way = [state for name in named if (state := states[name]).job and state.is_under_way]
    # After a failure Nomad has registered the earlier release again: the release to leave is then the one that failed.
    leaving = {state.failed_key or state.job.release_key for state in under_way if state.job}
    goals: list[Goal] = []
    for name, state in states.items():
        recorded = exact_goal(record, name) if record and name in record.specifications else Goal(job=name)
        ahead = state.job and state.job.release_key in leaving and recorded.target and not recorded.is_met(state)
        if state.job and (name in named or ahead):
            bad = state.failed_fingerprint or state.fingerprint
            # If an earlier rollback failed, the failed version is the recorded one: then only that version is accepted.
            goals.append(msgspec.structs.replace(recorded, bad=bad if bad != recorded.fingerprint else None))
    return goals


class Rollback:
    """Repeats no action that succeeded, and acts on a job only while it does not run its goal.

    With `together`, it promotes no canary before all jobs have a healthy one, and ends at the first failure: either all
    jobs change, or the caller can restore all. Without it, no job waits for another, which is faster.
    """

    def __init__(self, cluster: Cluster, watcher: Watcher, goals: Iterable[Goal], *, together: bool = False) -> None:
        self._cluster = cluster
        self._watcher = watcher
        self._goals = list(goals)
        self._together = together
        self._taken: set[str] = set()
        self._given_up: set[str] = set()
        self._is_promoting = False
        self._last: States = {}

    @property
    def has_promoted(self) -> bool:
        return self._is_promoting

    @property
    def has_lost_job(self) -> bool:
        """Whether a job was lost, as of the last poll of `run`."""
        return any(each.is_lost for each in self._last.values())

    def run(self, *, seconds: float) -> bool:
        """Returns whether all jobs run their goal. Raises PartlyKnown if Nomad does not answer."""

        def ended(states: States) -> bool:
            self._last = states
            return self._step(states)

        try:
            in_time, _ = self._watcher.wait_until(ended, seconds=seconds)
        except ServerUnreachable as error:
            then = "`upschedule deploy revert` continues it"
            raise PartlyKnown("the rollback", self._known(self._last), error.reason, then=then) from error
        if not in_time:
            self._cluster.report(
                f"The earlier release is not back after {seconds:g} s: look at `upschedule deploy status`."
            )
        return in_time and not self._given_up

    def _known(self, states: States) -> str:
        parts = [f"{goal.job} {'is back' if self._is_back(goal, states) else 'is not back'}" for goal in self._goals]
        return ", ".join(parts)

    def _is_back(self, goal: Goal, states: States) -> bool:
        return goal.job in states and goal.is_met(states[goal.job]) and states[goal.job].phase in _BACK

    def _step(self, states: States) -> bool:
        if self._together:
            self._give_up_lost(states)
            if self._given_up:
                return True
        self._is_promoting = self._is_promoting or not self._together or self._all_ready(states)
        # A list, so that every job acts before the first wait.
        done = [self._is_done(states[goal.job], goal) for goal in self._goals]
        return all(done) or (self._together and bool(self._given_up))

    def _all_ready(self, states: States) -> bool:
        """Whether every job has its goal, with healthy canaries or without any."""
        return all(
            goal.is_met(state) and (state.promotable or state.phase in _BACK)
            for goal in self._goals
            if (state := states[goal.job])
        )

    def _give_up_lost(self, states: States) -> None:
        for goal in self._goals:
            state = states[goal.job]
            if goal.job in self._registered and not goal.is_met(state) and state.failed:
                self._give_up(goal.job, "the earlier release does not become healthy")

    @property
    def _registered(self) -> set[str]:
        return {key.split()[1] for key in self._taken if key.startswith("register ")}

    def _is_done(self, state: RolloutState, goal: Goal) -> bool:
        if goal.job in self._given_up:
            return True
        if goal.is_met(state):
            return self._finish(state)
        if state.phase is Phase.RETURNING and state.fingerprint == goal.bad:
            # Nomad has not registered the earlier version again yet.
            return False
        if state.deployment and state.deployment.is_active and not state.is_scaling and not self._together:
            self._take(f"{state.name}: failing the deployment of its canary or roll-out", "fail", state.deployment.id)
        else:
            self._register(state, goal)
        return False

    def _finish(self, state: RolloutState) -> bool:
        if state.phase is Phase.FAILED:
            self._give_up(state.name, "the earlier release does not become healthy either")
            return True
        if state.promotable and state.deployment and self._is_promoting:
            text = f"{state.name}: an instance of the earlier release is healthy, the others follow"
            self._take(text, "promote", state.deployment.id)
        return state.phase in _BACK

    def _register(self, state: RolloutState, goal: Goal) -> None:
        if goal.target is None:
            self._give_up(
                state.name,
                "no earlier release is recorded, and Nomad knows no earlier stable version. Set the earlier release in "
                "the stack, `pulumi up`.",
            )
            return
        key = f"register {state.name} {state.index}"
        if key in self._taken:
            return
        self._cluster.report(f"{state.name}: starting release {goal.label} again, from its record")
        try:
            self._cluster.nomad.register_job(with_counts(goal.target, state.counts), over=state.index)
        except ServerUnreachable as error:
            # The next poll shows whether Nomad took it.
            self._cluster.report(f"  {error}")
        except ServerRefused as error:
            self._cluster.report(f"  {error}")
            if error.is_forbidden and not self._registered:
                raise
            if _CHANGED_MEANWHILE not in error.reason:
                self._give_up(state.name, "Nomad refuses the earlier release")
        else:
            self._taken.add(key)

    def _take(self, text: str, action: str, deployment: str) -> None:
        if f"{action} {deployment}" in self._taken:
            return
        self._cluster.report(text)
        nomad = self._cluster.nomad
        try:
            (nomad.fail_deployment if action == "fail" else nomad.promote_deployment)(deployment)
        except ServerRefused as error:
            if error.is_forbidden:
                raise
            # The deployment ended or changed since the poll: the next poll decides.
            self._cluster.report(f"  {error}")
            return
        except ServerUnreachable as error:
            self._cluster.report(f"  {error}")
            return
        self._taken.add(f"{action} {deployment}")

    def _give_up(self, job: str, reason: str) -> None:
        if job not in self._given_up:
            self._cluster.report(f"{job}: {reason}")
        self._given_up.add(job)


def jobs_to_revert(states: States, applied: Applied | None = None) -> list[str]:
    """The jobs that `revert` has to change.

    These are the jobs that change at present. If none does and a release has failed in some jobs, they are the jobs
    that still run that release, so that a second call right after a rollback changes nothing. Otherwise they are all
    jobs. A failure no longer counts when the stack names the release that runs.
    """
    under_way = [name for name, each in states.items() if each.is_under_way]
    if under_way:
        return under_way
    failed = {each.failed_key for each in states.values() if _has_returned(each, applied)}
    return [
        name
        for name, each in states.items()
        if each.job
        and (each.phase is Phase.FAILED or (_runs(each, applied) and (not failed or each.job.release_key in failed)))
    ]


def _has_returned(state: RolloutState, applied: Applied | None) -> bool:
    """Whether a release failed, and the stack does not name the running release yet."""
    return state.phase is Phase.RETURNED and not (state.job and applied and applied.is_run_by(state.job))


def _runs(state: RolloutState, applied: Applied | None) -> bool:
    return state.phase in _BACK and not _has_returned(state, applied)


def unfinished_revert(
    states: States, records: Sequence[ReleaseRecord], applied: Applied | None
) -> ReleaseRecord | None:
    """The record from which an interrupted `revert` registered all jobs, if a job still changes. A pure function.

    `records` are ordered from the newest to the oldest. If the stack names the release of that record, `pulumi up`
    started it and not `revert`: then the result is None.
    """
    if not any(each.is_under_way for each in states.values()):
        return None
    found = next((each for each in records[1:] if _is_registered(each, states)), None)
    if found and applied and all(applied.is_run_by(found.job(name)) for name in found.specifications):
        return None
    return found


def _is_registered(record: ReleaseRecord, states: States) -> bool:
    """Whether each job's newest version, or the version that failed last in it, is the one in the record."""
    return set(states) <= set(record.specifications) and all(
        record.fingerprint(name) == each.fingerprint
        or (each.phase in _FAILED_BEFORE and record.fingerprint(name) == each.failed_fingerprint)
        for name, each in states.items()
    )


def revert(cluster: Cluster, watcher: Watcher, *, seconds: float) -> ExitCode:
    """Reverts all jobs or none, and continues a revert that was interrupted.

    Deployments in progress are marked as failed. If there are none, the release that was recorded before the current
    one is started, with the current numbers of instances. `seconds` limits the time until it runs in all jobs.
    """
    record_release(cluster)
    states = watcher.poll()
    records = list(cluster.records.newest_first())
    applied = read_applied_if_allowed(cluster.nomad)
    unfinished = unfinished_revert(states, records, applied)
    jobs = jobs_to_revert(states, applied)
    record = record_before(records, identity_of({name: each.fingerprint for name, each in states.items()}))
    if not unfinished and not jobs and not _failed_to_return(states, record):
        return _nothing_to_revert(cluster, states, record)
    record_decision(cluster, states, DecisionKind.REVERT)
    if unfinished:
        cluster.report("An earlier `revert` did not finish: it continues.")
        code = _return_to_record(cluster, watcher, states, unfinished, before=records[0], seconds=seconds)
    elif jobs and any(each.is_under_way or _has_returned(each, applied) for each in states.values()):
        goals = undo_goals(states, jobs, records[0] if records else None)
        names = ", ".join(goal.job for goal in goals)
        done = roll_back(cluster, watcher, goals, states, f"A change of {names} is under way", seconds=seconds)
        code = ExitCode.DONE if done else ExitCode.NOT_REVERTED
    else:
        before = make_record("what ran", {name: each.specification for name, each in states.items() if each.job})
        code = _return_to_record(cluster, watcher, states, record, before=before, seconds=seconds)
    if code is ExitCode.DONE:
        record_result(cluster)
        cluster.report(
            "The earlier release runs on all instances. The stack still names the release that was reverted, and "
            "`pulumi up --refresh` would start it again: set the stack back now (docs/runbooks/revert.md)."
        )
    return code


def _nothing_to_revert(cluster: Cluster, states: States, record: ReleaseRecord | None) -> ExitCode:
    cluster.report("Nothing to revert: the earlier release is back already, or none was ever started.")
    if record is None or all(each.phase in _GONE for each in states.values()):
        return ExitCode.DONE
    cluster.report(
        "To revert the running release as well, first set the stack back to it (docs/runbooks/revert.md). Then "
        f"`revert` starts the previous one, {record.label}."
    )
    return ExitCode.FAILED


def _failed_to_return(states: States, record: ReleaseRecord | None) -> bool:
    """Whether the release that failed last is the recorded one, which a rollback tried to start."""
    return record is not None and any(
        each.phase is Phase.RETURNED
        and name in record.specifications
        and each.failed_fingerprint == record.fingerprint(name)
        for name, each in states.items()
    )


def roll_back(
    cluster: Cluster, watcher: Watcher, goals: list[Goal], states: States, reason: str, *, seconds: float
) -> bool:
    """Undoes a release that is in progress. Changes nothing if the earlier version of a job cannot be started."""
    settled = [goal for goal in goals if not states[goal.job].is_under_way and not goal.is_met(states[goal.job])]
    if not _can_start(cluster, settled, states):
        return False
    cluster.report(f"{reason}: this command marks it as failed, and the release before stays or returns.")
    return Rollback(cluster, watcher, goals).run(seconds=seconds)


def _return_to_record(
    cluster: Cluster,
    watcher: Watcher,
    states: States,
    record: ReleaseRecord | None,
    *,
    before: ReleaseRecord,
    seconds: float,
) -> ExitCode:
    """Starts the recorded release in all jobs, including those that are already changing to it.

    If it does not start, all jobs return to `before`.
    """
    if record is None or not set(states) <= set(record.specifications):
        cluster.report(
            "No earlier release is recorded, and Nomad knows no earlier stable version of all jobs; nothing was "
            "changed. Set the earlier release in the stack, `pulumi up`."
        )
        return ExitCode.NOT_REVERTED
    goals = [exact_goal(record, name) for name in states]
    goals = [goal for goal in goals if states[goal.job].is_under_way or not goal.is_met(states[goal.job])]
    if not _can_start(cluster, [goal for goal in goals if not goal.is_met(states[goal.job])], states):
        return ExitCode.NOT_REVERTED
    names = ", ".join(goal.job for goal in goals)
    cluster.report(f"{names} return to the release recorded before, {record.label}.")
    rollback = Rollback(cluster, watcher, goals, together=True)
    if rollback.run(seconds=seconds):
        return ExitCode.DONE
    if not rollback.has_promoted or rollback.has_lost_job:
        cluster.report("The earlier release does not start everywhere: all jobs stay at the release that ran.")
        again = [exact_goal(before, name) for name in states if name in before.specifications]
        Rollback(cluster, watcher, again).run(seconds=seconds)
    return ExitCode.NOT_REVERTED


def _can_start(cluster: Cluster, goals: list[Goal], states: States) -> bool:
    """Checks all jobs before anything is changed, and reports each problem."""
    wanted = {goal.job: with_counts(goal.target, states[goal.job].counts) for goal in goals if goal.target}
    problems = problems_of(cluster, wanted)
    for problem in problems:
        cluster.report(problem)
    if problems:
        cluster.report("The earlier release cannot be started: nothing was changed.")
    return not problems
