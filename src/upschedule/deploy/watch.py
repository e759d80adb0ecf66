"""Looks at the jobs again and again, and says what has changed."""

from collections.abc import Callable, Mapping, Sequence

from upschedule.deploy.cluster import JOBS, Cluster
from upschedule.deploy.consul import complaints
from upschedule.deploy.diagnosis import diagnose
from upschedule.deploy.exits import ExitCode
from upschedule.deploy.explain import sentence
from upschedule.deploy.nomad_model import Snapshot
from upschedule.deploy.rollout_state import LOST, Phase, Situation, judge

_EVERY_SECONDS = 1.5


class Follower:
    """Remembers what was said, and what Consul said of instances that end before anybody asks why."""

    def __init__(self, cluster: Cluster, jobs: Sequence[str] = JOBS) -> None:
        self._cluster = cluster
        self._jobs = jobs
        self._said: dict[str, str] = {}
        self._explained: set[str] = set()
        self._complaints: dict[str, list[str]] = {}

    def look(self) -> dict[str, Situation]:
        """By job; says what is new."""
        return {name: self._judged(self._cluster.nomad.snapshot(name)) for name in self._jobs}

    def until(
        self, reached: Callable[[Mapping[str, Situation]], bool], *, seconds: float
    ) -> tuple[bool, Mapping[str, Situation]]:
        """Whether it was in time, and what the last look showed."""
        last: Mapping[str, Situation] = {}

        def looked() -> bool:
            nonlocal last
            last = self.look()
            return reached(last)

        in_time = self._cluster.clock.until(looked, seconds=seconds, every_seconds=_EVERY_SECONDS)
        return in_time, last

    def _judged(self, snapshot: Snapshot) -> Situation:
        now = judge(snapshot)
        self._listen(now)
        said = sentence(snapshot, now)
        if self._said.get(snapshot.name) != said:
            self._said[snapshot.name] = said
            self._cluster.say(f"{snapshot.name}: {said}")
        if now.failed and now.failed.id not in self._explained:
            self._explained.add(now.failed.id)
            for line in diagnose(self._cluster.nomad, snapshot, now.failed, self._complaints):
                self._cluster.say(f"  {line}")
        return now

    def _listen(self, now: Situation) -> None:
        """While instances that are not healthy yet are still registered."""
        unhealthy = [each for each in now.instances if not each.is_healthy]
        if now.job is None or not unhealthy or now.phase is Phase.STOPPED or not now.job.services:
            return
        registered = self._cluster.consul.registrations(now.job.services)
        for each in unhealthy:
            if each.id in registered:
                self._complaints[each.id] = complaints(registered[each.id], now.job.services)


def settled(situations: Mapping[str, Situation]) -> bool:
    """Nothing is under way any more."""
    return not any(each.is_under_way for each in situations.values())


def watch(follower: Follower, *, seconds: float) -> ExitCode:
    """Changes nothing."""
    in_time, last = follower.until(settled, seconds=seconds)
    if not in_time:
        waiting = any(each.phase is Phase.WAITING for each in last.values())
        return ExitCode.UNDER_WAY if waiting else ExitCode.TOO_LONG
    return ExitCode.FAILED if any(each.phase in LOST for each in last.values()) else ExitCode.DONE
