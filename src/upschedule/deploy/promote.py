"""`upschedule deploy promote`: gate, promotion of all jobs, roll-out, verification; rollback at any failure."""

from collections.abc import Mapping
from dataclasses import dataclass

from upschedule.deploy.environment import JOBS
from upschedule.deploy.errors import ExitCode, ServerRefused, Superseded
from upschedule.deploy.findings import Finding, failures, passed, table
from upschedule.deploy.gate import GateResult, ReleaseContext, States, await_canaries, run_gate
from upschedule.deploy.rollback import Rollback, RollbackPlan, rollback_plans
from upschedule.deploy.verify import verify
from upschedule.deploy.watch import settled


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """Promotes the release that is under way now. Raises Superseded when another one begins meanwhile."""

    context: ReleaseContext

    def run(self, *, gated: bool) -> ExitCode:
        """Without the gate, canaries must still be healthy: Nomad refuses others."""
        context = self.context
        under_way = [name for name, each in context.watcher.poll().items() if each.is_under_way]
        plans = rollback_plans(context.cluster.nomad, under_way)
        result = run_gate(context) if gated else await_canaries(context)
        self._print("Gate", result.findings)
        if not under_way:
            return self._verify_only(result)
        if not result.passed:
            return self._roll_back(plans, ExitCode.GATE_NOT_PASSED, "The gate is not passed")
        if not self._promote(result.waiting):
            return self._roll_back(plans, ExitCode.ROLLED_BACK, "Nomad did not promote")
        if failure := self._await_rollout(result):
            return self._roll_back(plans, ExitCode.ROLLED_BACK, failure)
        if not self._verify(result.waiting):
            return self._roll_back(plans, ExitCode.NOT_VERIFIED, "The final verification is not passed")
        context.cluster.report("Promoted and verified.")
        return ExitCode.DONE

    def _verify_only(self, result: GateResult) -> ExitCode:
        if any(each.is_lost for each in result.states.values()):
            self.context.cluster.report("Nothing waits for promotion, and not all is well: see above.")
            return ExitCode.FAILED
        self.context.cluster.report("Nothing waits for promotion. What runs is verified:")
        return ExitCode.DONE if self._verify({}) else ExitCode.NOT_VERIFIED

    def _promote(self, waiting: States) -> bool:
        """False when Nomad refuses one, so that the others must go back as well."""
        cluster = self.context.cluster
        for name in JOBS:
            if name in waiting and (deployment := waiting[name].deployment):
                cluster.report(f"{name}: promoting")
                try:
                    cluster.nomad.promote_deployment(deployment.id)
                except ServerRefused as error:
                    cluster.report(f"{name}: {error}")
                    return False
        return True

    def _await_rollout(self, result: GateResult) -> str | None:
        """Waits until all instances are replaced. Returns a sentence when that fails."""

        def ended(states: States) -> bool:
            self._expect_no_other(states, result.states)
            restarts[:] = self.context.restarts(result.waiting)
            return bool(restarts) or settled(states) or any(each.is_lost for each in states.values())

        restarts: list[str] = []
        seconds = self.context.limits.rolling_seconds
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
        """`promoted` are the states before the promotion; without any, restarts of long ago do not count."""
        findings = verify(self.context)
        if promoted:
            findings.append(self.context.check_restarts(promoted, name="the release's instances"))
        self._print("Verification", findings)
        return passed(findings)

    def _roll_back(self, plans: Mapping[str, RollbackPlan], code: ExitCode, reason: str) -> ExitCode:
        context = self.context
        context.cluster.report(f"{reason}: all jobs of the release go back.")
        if Rollback(context.cluster, context.watcher, plans).run(seconds=context.limits.return_seconds):
            context.cluster.report("The earlier release runs on all instances.")
            return code
        return ExitCode.NOT_REVERTED

    def _print(self, title: str, findings: list[Finding]) -> None:
        if findings:
            for line in [f"{title}:", *table(findings), *(f"Not ok: {each}" for each in failures(findings))]:
                self.context.cluster.report(line)
