"""Runs `upschedule deploy promote`: gate, promotion of all jobs, roll-out, verification; rollback at any failure."""

from dataclasses import dataclass

from upschedule.backoff import jittered
from upschedule.deploy.decisions import DecisionKind, record_decision
from upschedule.deploy.environment import JOBS
from upschedule.deploy.errors import (
    ExitCode,
    PartlyKnown,
    ServerRefused,
    ServerUnreachable,
    Superseded,
    silence_leaves_partly_known,
)
from upschedule.deploy.findings import Finding, failures, passed, table, undecided
from upschedule.deploy.gate import GateResult, ReleaseContext, States, await_canaries, run_gate
from upschedule.deploy.recording import record_release, record_result
from upschedule.deploy.rollback import Goal, roll_back, undo_goals
from upschedule.deploy.rollout_state import RolloutState
from upschedule.deploy.verify import verify
from upschedule.deploy.watch import settled

_RETRY_SECONDS, _JITTER = 2.0, 0.3
_VERIFY_AGAIN = (
    "`upschedule deploy promote` verifies what runs, and `upschedule deploy revert` starts the release before it"
)


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """Promotes the release that is under way now. Raises Superseded when another one begins meanwhile."""

    context: ReleaseContext

    def run(self, *, gated: bool) -> ExitCode:
        """Runs the gate, then promotes the release.

        Without the gate, it only waits until the canaries are healthy, because Nomad refuses to promote others.
        """
        context = self.context
        record_release(context.cluster)
        states = context.watcher.poll()
        under_way = [name for name, each in states.items() if each.is_under_way]
        goals = undo_goals(states, under_way, context.cluster.records.newest())
        if under_way and not gated:
            record_decision(context.cluster, states, DecisionKind.PROMOTION_WITHOUT_GATE)
        result = run_gate(context) if gated else await_canaries(context)
        self._print("Gate", result.findings)
        if not under_way:
            return self._verify_only(result)
        if not result.passed:
            return self._not_passed(result, goals)
        with silence_leaves_partly_known("the promotion or its rollback", "the promotion had begun"):
            return self._complete(result, goals)

    def _complete(self, result: GateResult, goals: list[Goal]) -> ExitCode:
        if not self._promote(result.waiting):
            return self._roll_back(goals, ExitCode.ROLLED_BACK, "Nomad did not promote")
        if failure := self._await_rollout(result):
            return self._roll_back(goals, ExitCode.ROLLED_BACK, failure)
        if not self._verify(result.waiting):
            return self._roll_back(goals, ExitCode.NOT_VERIFIED, "The final verification is not passed")
        record_result(self.context.cluster)
        self.context.cluster.report("Promoted and verified.")
        return ExitCode.DONE

    def _not_passed(self, result: GateResult, goals: list[Goal]) -> ExitCode:
        if not result.unsure:
            return self._roll_back(goals, ExitCode.GATE_NOT_PASSED, "The gate is not passed")
        self.context.cluster.report(
            "The gate is not sure, and nothing is promoted. The canaries wait, without visitors: promote again, with "
            "more time or at a busier hour, or decide with `promote --no-gate` or `revert`."
        )
        return ExitCode.NOT_SURE

    def _verify_only(self, result: GateResult) -> ExitCode:
        if any(each.is_lost for each in result.states.values()):
            self.context.cluster.report("Nothing waits for promotion, and not all is well: see above.")
            return ExitCode.FAILED
        self.context.cluster.report("Nothing waits for promotion. What runs is verified:")
        return ExitCode.DONE if self._verify({}) else ExitCode.NOT_VERIFIED

    def _promote(self, waiting: States) -> bool:
        """False when Nomad refuses one, so that the others must be rolled back as well.

        Continues where it stopped if Nomad did not answer for a while. Raises PartlyKnown if it still does not answer.
        """
        pending = {name: each for name in JOBS if (each := waiting.get(name))}
        clock = self.context.cluster.clock
        deadline = clock.now() + self.context.cluster.silence_seconds
        while pending:
            name, state = next(iter(pending.items()))
            try:
                if not self._promote_one(name, state):
                    return False
                del pending[name]
            except ServerUnreachable as error:
                self._await_answer(error, waiting, pending, final=clock.now() > deadline)
        return True

    def _promote_one(self, name: str, state: RolloutState) -> bool:
        cluster = self.context.cluster
        if state.deployment is None:
            return True
        cluster.report(f"{name}: promoting")
        try:
            cluster.nomad.promote_deployment(state.deployment.id)
        except ServerRefused as error:
            # Nomad refuses to promote twice: an earlier request may have arrived, and its answer not.
            now = cluster.nomad.deployment(state.deployment.id)
            if now and not now.needs_promotion:
                return True
            cluster.report(f"{name}: {error}")
            return False
        return True

    def _await_answer(self, error: ServerUnreachable, waiting: States, pending: States, *, final: bool) -> None:
        """Returns once Nomad answers again. Raises PartlyKnown when it does not, or when this is `final`."""
        context, clock = self.context, self.context.cluster.clock
        context.cluster.report(f"{next(iter(pending))}: {error}")
        try:
            if final:
                raise error
            clock.sleep(jittered(_RETRY_SECONDS, _JITTER, clock.random()))
            context.watcher.wait_until(lambda _: True, seconds=context.cluster.silence_seconds)
        except ServerUnreachable as silent:
            first, *others = pending
            known = [f"{name} is promoted" for name in waiting if name not in pending]
            known += [f"{first} may be promoted", *(f"{name} is not promoted" for name in others)]
            raise PartlyKnown("the promotion", ", ".join(known), silent.reason) from silent

    def _await_rollout(self, result: GateResult) -> str | None:
        """Waits until all instances are replaced. Returns a sentence when that fails."""

        def ended(states: States) -> bool:
            self._expect_no_other(states, result.states)
            restarts[:] = self.context.restarts(result.waiting)
            return bool(restarts) or settled(states) or any(each.is_lost for each in states.values())

        restarts: list[str] = []
        seconds = self.context.limits.rolling_seconds
        with silence_leaves_partly_known("the roll-out", "all jobs are promoted"):
            in_time, last = self.context.watcher.wait_until(ended, seconds=seconds)
        lost = [name for name, each in last.items() if each.is_lost]
        if lost:
            return f"The roll-out of {', '.join(lost)} failed"
        if restarts:
            return f"Instances of the release restart ({'; '.join(restarts)})"
        return None if in_time else f"The roll-out is not finished after {seconds:g} s"

    def _expect_no_other(self, states: States, gated: States) -> None:
        """Ignores the autoscaler: it may scale a job that has settled while the others still roll out."""
        for name, each in states.items():
            before = gated[name]
            if each.job and each.fingerprint != before.fingerprint and not each.is_lost:
                raise Superseded(name, before.job.version if before.job else 0, each.job.version)

    def _verify(self, promoted: States) -> bool:
        """`promoted` are the states before the promotion; without any, restarts of long ago do not count.

        Raises PartlyKnown when a server stays silent: that says nothing against the release.
        """
        with silence_leaves_partly_known("the verification", "all jobs are rolled out"):
            findings = verify(self.context)
            if promoted:
                findings.append(self.context.check_restarts(promoted, name="the release's instances"))
        self._print("Verification", findings)
        if undecided(findings):
            known = "all jobs are rolled out" if promoted else "nothing was changed"
            raise PartlyKnown("the verification", known, "; ".join(failures(findings)), then=_VERIFY_AGAIN)
        return passed(findings)

    def _roll_back(self, goals: list[Goal], code: ExitCode, reason: str) -> ExitCode:
        context = self.context
        states = context.watcher.poll()
        if roll_back(context.cluster, context.watcher, goals, states, reason, seconds=context.limits.return_seconds):
            context.cluster.report("The earlier release runs on all instances.")
            return code
        return ExitCode.NOT_REVERTED

    def _print(self, title: str, findings: list[Finding]) -> None:
        if findings:
            for line in [f"{title}:", *table(findings), *(f"Not ok: {each}" for each in failures(findings))]:
                self.context.cluster.report(line)
