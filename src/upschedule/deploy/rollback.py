"""The way back to the release before, for all jobs."""

from collections.abc import Iterable, Mapping

import msgspec

from upschedule.deploy import history
from upschedule.deploy.cluster import Cluster
from upschedule.deploy.errors import ServerRefused
from upschedule.deploy.nomad import Nomad
from upschedule.deploy.nomad_model import Deployment
from upschedule.deploy.rollout_state import Phase, Situation, judge
from upschedule.deploy.watch import Follower

_FORBIDDEN = 403


class WayBack(msgspec.Struct, frozen=True, kw_only=True):
    """`left`: the fingerprint of what is left; `to`: what comes instead, None where Nomad knows nothing earlier."""

    left: str
    to: history.EarlierVersion | None


def ways_back(nomad: Nomad, jobs: Iterable[str]) -> dict[str, WayBack]:
    """To be asked for before anything is changed."""
    ways: dict[str, WayBack] = {}
    for name in jobs:
        snapshot = nomad.snapshot(name)
        if not snapshot.versions:
            continue
        returning = judge(snapshot).phase is Phase.RETURNING and len(snapshot.specifications) > 1
        gone = 1 if returning and not _is_own(snapshot.deployments[0]) else 0
        left = history.fingerprint(snapshot.specifications[gone])
        ways[name] = WayBack(left=left, to=history.earlier(snapshot))
    return ways


def _is_own(newest: Deployment) -> bool:
    """The failed release is still the newest version: Nomad has yet to register the one before again."""
    return newest.goes_back


class Return:
    """Each action is taken once, and only while it is still what is needed."""

    def __init__(self, cluster: Cluster, follower: Follower, ways: Mapping[str, WayBack]) -> None:
        self._cluster = cluster
        self._follower = follower
        self._ways = ways
        self._taken: set[str] = set()
        self._hopeless: set[str] = set()

    def run(self, *, seconds: float) -> bool:
        """Whether all jobs run what they ran before."""
        in_time, _ = self._follower.until(self._step, seconds=seconds)
        if not in_time:
            self._cluster.say(
                f"The earlier release is not back after {seconds:g} s: look at `upschedule deploy status`."
            )
        return in_time and not self._hopeless

    def _step(self, now: Mapping[str, Situation]) -> bool:
        # All of them act before any is waited for.
        back = [self._is_back(now[name], way) for name, way in self._ways.items()]
        return all(back)

    def _is_back(self, now: Situation, way: WayBack) -> bool:
        if now.name in self._hopeless:
            return True
        if now.fingerprint != way.left:
            return self._arrive(now)
        if now.deployment and now.deployment.is_active:
            self._take(f"{now.name}: failing the deployment of its canary or roll-out", "fail", now.deployment.id)
        elif now.phase is not Phase.RETURNING:
            self._register(now, way)
        return False

    def _arrive(self, now: Situation) -> bool:
        if now.phase is Phase.FAILED:
            return self._give_up(f"{now.name}: the earlier release does not become healthy either")
        if now.promotable and now.deployment:
            said = f"{now.name}: an instance of the earlier release is healthy, the others follow"
            self._take(said, "promote", now.deployment.id)
        return now.phase in {Phase.SETTLED, Phase.RETURNED}

    def _register(self, now: Situation, way: WayBack) -> None:
        if way.to is None:
            self._give_up(
                f"{now.name}: Nomad knows no earlier stable version. Set the earlier release in the stack, `pulumi up`."
            )
            return
        key = f"register {now.name} {now.index}"
        if key not in self._taken:
            self._cluster.say(f"{now.name}: starting version {way.to.job.version} again, release {way.to.job.release}")
            self._cluster.nomad.register(way.to.specification, over=now.index)
            self._taken.add(key)

    def _take(self, said: str, action: str, deployment: str) -> None:
        if f"{action} {deployment}" in self._taken:
            return
        self._cluster.say(said)
        try:
            (self._cluster.nomad.fail if action == "fail" else self._cluster.nomad.promote)(deployment)
        except ServerRefused as error:
            if error.status == _FORBIDDEN:
                raise
            # It ended or changed between looking and acting: the next look decides.
            self._cluster.say(f"  {error}")
            return
        self._taken.add(f"{action} {deployment}")

    def _give_up(self, said: str) -> bool:
        self._cluster.say(said)
        self._hopeless.add(said.partition(":")[0])
        return True
