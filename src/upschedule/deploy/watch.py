"""Runs `upschedule deploy watch`: polls the jobs and prints their changes."""

from collections.abc import Callable, Collection, Mapping, Sequence

from upschedule.deploy.consul import failing_checks
from upschedule.deploy.environment import JOBS, Cluster
from upschedule.deploy.errors import ExitCode, ServerUnreachable
from upschedule.deploy.explain import describe, explain_failure, explain_troubles, short_id
from upschedule.deploy.nomad_model import JobSnapshot
from upschedule.deploy.rollout_state import Phase, RolloutState, derive

_EVERY_SECONDS = 1.5
#: A check fails while a process starts.
_FAILING_CHECK_SECONDS = 10.0


class Watcher:
    """Prints each change once, and while it waits each failure of a task, and each check that keeps failing.

    Remembers failing checks, which Consul forgets when an instance ends.
    """

    def __init__(self, cluster: Cluster, jobs: Sequence[str] = JOBS) -> None:
        self._cluster = cluster
        self._jobs = jobs
        self._printed: dict[str, str] = {}
        self._explained: set[str] = set()
        self._failing_checks: dict[str, list[str]] = {}
        self._troubles: set[str] = set()
        self._snapshots: dict[str, JobSnapshot] = {}
        self._first_seen: dict[str, float] = {}
        self._answered_at: float | None = None
        self._is_silent = False

    def poll(self) -> dict[str, RolloutState]:
        """The states by job. Raises ServerUnreachable."""
        states = {name: self._update(self._cluster.nomad.job_snapshot(name)) for name in self._jobs}
        self._answered_at, self._is_silent = self._cluster.clock.now(), False
        return states

    @property
    def snapshots(self) -> Collection[JobSnapshot]:
        """The states of all jobs, as of the last poll."""
        return self._snapshots.values()

    def wait_until(
        self, condition: Callable[[Mapping[str, RolloutState]], bool], *, seconds: float
    ) -> tuple[bool, Mapping[str, RolloutState]]:
        """Whether the condition became true in time, and the states of the last poll.

        Waits while a server does not answer that answered before, for the cluster's `silence_seconds` at most. Raises
        ServerUnreachable after that, or where a server never answered.
        """
        last: Mapping[str, RolloutState] = {}

        def polled() -> bool:
            nonlocal last
            try:
                last = self.poll()
            except ServerUnreachable as error:
                self._endure(error)
                return False
            return condition(last)

        in_time = self._cluster.clock.wait_until(polled, seconds=seconds, every_seconds=_EVERY_SECONDS)
        return in_time, last

    def _endure(self, error: ServerUnreachable) -> None:
        now, limit = self._cluster.clock.now(), self._cluster.silence_seconds
        if self._answered_at is None or now - self._answered_at > limit:
            raise error
        if not self._is_silent:
            self._cluster.report(f"{error}: asking again for {limit:g} s")
        self._is_silent = True

    def _update(self, snapshot: JobSnapshot) -> RolloutState:
        state = derive(snapshot)
        self._snapshots[snapshot.name] = snapshot
        self._record_failing_checks(state)
        line = describe(snapshot, state)
        if self._printed.get(snapshot.name) != line:
            self._printed[snapshot.name] = line
            self._cluster.report(f"{snapshot.name}: {line}")
        if state.is_under_way:
            self._report_troubles(snapshot, state)
        if state.failed and state.failed.id not in self._explained:
            self._explained.add(state.failed.id)
            for reason in explain_failure(self._cluster.nomad, snapshot, state.failed, self._failing_checks):
                self._cluster.report(f"  {reason}")
        return state

    def _report_troubles(self, snapshot: JobSnapshot, state: RolloutState) -> None:
        if state.deployment:
            found = explain_troubles(self._cluster.nomad, snapshot, state.deployment, known=self._troubles)
            for trouble in found:
                self._troubles.add(trouble.sentence)
                for line in trouble.lines:
                    self._cluster.report(f"  {line}")
        now = self._cluster.clock.now()
        for each in state.instances:
            checks = [] if each.is_healthy else self._failing_checks.get(each.id, [])
            first = self._first_seen.setdefault(each.id, now)
            if checks and each.id not in self._troubles and now - first >= _FAILING_CHECK_SECONDS:
                self._troubles.add(each.id)
                for check in checks:
                    self._cluster.report(f"  instance {short_id(each.id)} on {each.node_name}: still {check}")

    def _record_failing_checks(self, state: RolloutState) -> None:
        """The failing checks of instances that are not healthy yet, while Consul still has them."""
        unhealthy = [each for each in state.instances if not each.is_healthy]
        if state.job is None or not unhealthy or state.phase is Phase.STOPPED or not state.job.services:
            return
        registered = self._cluster.consul.registrations(state.job.services)
        for each in unhealthy:
            if each.id in registered:
                self._failing_checks[each.id] = failing_checks(registered[each.id], state.job.services)


def settled(states: Mapping[str, RolloutState]) -> bool:
    """Whether no job has a change under way."""
    return not any(each.is_under_way for each in states.values())


def watch(watcher: Watcher, *, seconds: float) -> ExitCode:
    """Waits until nothing is under way. Changes nothing."""
    in_time, last = watcher.wait_until(settled, seconds=seconds)
    if not in_time:
        waiting = any(each.phase is Phase.WAITING for each in last.values())
        return ExitCode.UNDER_WAY if waiting else ExitCode.TOO_LONG
    return ExitCode.FAILED if any(each.is_lost for each in last.values()) else ExitCode.DONE
