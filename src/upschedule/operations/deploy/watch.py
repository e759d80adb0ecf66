"""`upschedule deploy watch`: until nothing is under way any more."""

from collections.abc import Mapping

from upschedule.operations.deploy.exits import ExitCode
from upschedule.operations.deploy.following import Follower, settled
from upschedule.operations.deploy.gate import LOST
from upschedule.operations.deploy.situation import Phase, Situation


def watch(follower: Follower, *, seconds: float) -> ExitCode:
    """Changes nothing."""
    last: Mapping[str, Situation] = {}

    def ended(now: Mapping[str, Situation]) -> bool:
        nonlocal last
        last = now
        return settled(now)

    if not follower.until(ended, seconds=seconds):
        waiting = any(each.phase is Phase.WAITING for each in last.values())
        return ExitCode.UNDER_WAY if waiting else ExitCode.TOO_LONG
    return ExitCode.FAILED if any(each.phase in LOST for each in last.values()) else ExitCode.DONE
