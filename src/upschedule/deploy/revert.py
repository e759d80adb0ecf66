"""`upschedule deploy revert`: decides what going back means now, and does it."""

from collections.abc import Mapping
from dataclasses import dataclass

from upschedule.deploy.cluster import Cluster
from upschedule.deploy.exits import ExitCode
from upschedule.deploy.rollback import Return, ways_back
from upschedule.deploy.rollout_state import Phase, Situation
from upschedule.deploy.watch import Follower


def concerned(situations: Mapping[str, Situation]) -> list[str]:
    """The jobs under way. Else, after a failure, those that still run the release that failed elsewhere. Else all.

    Pure. So a second call right after a release went back changes nothing.
    """
    under_way = [name for name, each in situations.items() if each.is_under_way]
    if under_way:
        return under_way
    failed = {each.failed_release for each in situations.values() if each.phase is Phase.RETURNED}
    return [
        name
        for name, each in situations.items()
        if each.job
        and (each.phase is Phase.FAILED or (each.phase is Phase.SETTLED and (not failed or each.job.release in failed)))
    ]


@dataclass(frozen=True, kw_only=True)
class Revert:
    """`seconds`: how long the earlier release may take to run everywhere."""

    cluster: Cluster
    follower: Follower
    seconds: float

    def run(self) -> ExitCode:
        """Fails what is under way, or starts the stable version before what runs, keeping the numbers of instances."""
        situations = self.follower.look()
        jobs = concerned(situations)
        if not jobs:
            self.cluster.say("Nothing to revert: the earlier release is back already, or none was ever started.")
            return ExitCode.DONE
        if situations[jobs[0]].is_under_way:
            self.cluster.say(f"A change of {', '.join(jobs)} is under way: it is failed, and what ran before stays.")
        else:
            self.cluster.say(f"Nothing is under way: {', '.join(jobs)} go back to the stable version before this one.")
        ways = ways_back(self.cluster.nomad, jobs)
        if Return(self.cluster, self.follower, ways).run(seconds=self.seconds):
            self.cluster.say("The earlier release runs on all instances. The stack still names the other: set it back.")
            return ExitCode.DONE
        return ExitCode.NOT_REVERTED
