"""Gate, promotion of all jobs of a release, rolling replacement, final verification; the way back at any failure."""

from collections.abc import Mapping
from dataclasses import dataclass

from upschedule.deploy.cluster import JOBS
from upschedule.deploy.errors import ServerRefused, Superseded
from upschedule.deploy.exits import ExitCode
from upschedule.deploy.findings import Finding, failures, passed, table
from upschedule.deploy.gate import Gate, Verdict
from upschedule.deploy.rollback import Return, WayBack, ways_back
from upschedule.deploy.rollout_state import LOST, Situation
from upschedule.deploy.verify import Verification
from upschedule.deploy.watch import settled


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """Of the release that is under way now; one that comes meanwhile ends it with Superseded."""

    gate: Gate

    def run(self, *, gated: bool) -> ExitCode:
        """Without the gate, canaries must still be healthy: Nomad refuses others."""
        cluster = self.gate.cluster
        under_way = [name for name, each in self.gate.follower.look().items() if each.is_under_way]
        ways = ways_back(cluster.nomad, under_way)
        verdict = self.gate.run() if gated else self._ungated()
        self._print("Gate", verdict.findings)
        if not under_way:
            return self._nothing(verdict)
        if not verdict.passed:
            return self._back(ways, ExitCode.GATE_NOT_PASSED, "The gate is not passed")
        if not self._promote(verdict.waiting):
            return self._back(ways, ExitCode.ROLLED_BACK, "Nomad did not promote")
        if (lost := self._roll(verdict)) is not None:
            return self._back(ways, ExitCode.ROLLED_BACK, lost)
        if not self._verified():
            return self._back(ways, ExitCode.NOT_VERIFIED, "The final verification is not passed")
        cluster.say("Promoted and verified.")
        return ExitCode.DONE

    def _ungated(self) -> Verdict:
        findings, waiting, last = self.gate.canaries()
        return Verdict(findings=findings, waiting=waiting, situations=last)

    def _nothing(self, verdict: Verdict) -> ExitCode:
        if any(each.phase in LOST for each in verdict.situations.values()):
            self.gate.cluster.say("Nothing waits for promotion, and not all is well: see above.")
            return ExitCode.FAILED
        self.gate.cluster.say("Nothing waits for promotion. What runs is verified:")
        return ExitCode.DONE if self._verified() else ExitCode.NOT_VERIFIED

    def _promote(self, waiting: Mapping[str, Situation]) -> bool:
        """False: Nomad refused one, so the others must go back as well."""
        cluster = self.gate.cluster
        for name in JOBS:
            if name in waiting and (deployment := waiting[name].deployment):
                cluster.say(f"{name}: promoting")
                try:
                    cluster.nomad.promote(deployment.id)
                except ServerRefused as error:
                    cluster.say(f"{name}: {error}")
                    return False
        return True

    def _roll(self, verdict: Verdict) -> str | None:
        """Follows the replacement of all instances; a sentence when it failed."""

        def ended(now: Mapping[str, Situation]) -> bool:
            self._expect_no_other(now, verdict.situations)
            return settled(now) or any(each.phase in LOST for each in now.values())

        in_time, last = self.gate.follower.until(ended, seconds=self.gate.limits.rolling_seconds)
        lost = [name for name, each in last.items() if each.phase in LOST]
        if lost:
            return f"The roll-out of {', '.join(lost)} failed"
        return None if in_time else f"The roll-out is not finished after {self.gate.limits.rolling_seconds:g} s"

    def _expect_no_other(self, now: Mapping[str, Situation], gated: Mapping[str, Situation]) -> None:
        """The autoscaler is no other: a job that has settled may be scaled while the rest is still rolled out."""
        for name, each in now.items():
            before = gated[name]
            if each.job and each.fingerprint != before.fingerprint and each.phase not in LOST:
                raise Superseded(name, before.job.version if before.job else 0, each.job.version)

    def _verified(self) -> bool:
        gate = self.gate
        verification = Verification(cluster=gate.cluster, probe=gate.probe, limits=gate.limits, follower=gate.follower)
        findings = verification.findings()
        self._print("Verification", findings)
        return passed(findings)

    def _back(self, ways: Mapping[str, WayBack], code: ExitCode, why: str) -> ExitCode:
        cluster = self.gate.cluster
        cluster.say(f"{why}: all jobs of the release go back.")
        if Return(cluster, self.gate.follower, ways).run(seconds=self.gate.limits.return_seconds):
            cluster.say("The earlier release runs on all instances.")
            return code
        return ExitCode.NOT_REVERTED

    def _print(self, title: str, findings: list[Finding]) -> None:
        if findings:
            for line in [f"{title}:", *table(findings), *(f"Not ok: {each}" for each in failures(findings))]:
                self.gate.cluster.say(line)
