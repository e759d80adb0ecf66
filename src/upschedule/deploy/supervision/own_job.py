"""Promotes the supervisor's own job: its new release waits as a canary for the verdict of the previous one."""

from collections.abc import Callable

from upschedule.deploy.errors import ServerRefused
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.rollout_state import RolloutState, derive


class OwnJob:
    """`job` and `allocation` are those of this process."""

    def __init__(self, nomad: NomadClient, *, job: str, allocation: str, report: Callable[[str], None]) -> None:
        self._nomad = nomad
        self._job = job
        self._allocation = allocation
        self._report = report

    def read(self) -> tuple[RolloutState, bool]:
        """The state of the job, and whether this process is a canary, which changes nothing."""
        snapshot = self._nomad.job_snapshot(self._job)
        is_canary = any(
            each.deployment_status is not None and each.deployment_status.canary
            for each in snapshot.allocations
            if each.id == self._allocation
        )
        return derive(snapshot), is_canary

    def follow(self, own: RolloutState, *, release: str, is_good: bool) -> None:
        """Promotes the canary of the release that runs and may stay, fails that of a release that does not run.

        `release` is that of the application, of which no change is under way.
        """
        if not own.wants_canaries or own.deployment is None or own.job is None:
            return
        mine = (own.job.meta or {}).get("release", "")
        try:
            if mine != release:
                self._report(f"{self._job}: release {mine} does not run, so its supervisor is not promoted")
                self._nomad.fail_deployment(own.deployment.id)
            elif is_good and own.promotable:
                self._report(f"{self._job}: release {mine} stays, so its supervisor takes over")
                self._nomad.promote_deployment(own.deployment.id)
        except ServerRefused as error:
            # The deployment changed since it was read: the next round decides.
            self._report(f"{self._job}: {error}")
