"""`upschedule deploy watch`: until nothing is under way any more."""

from upschedule.deploy.exits import ExitCode
from upschedule.deploy.following import Follower, settled
from upschedule.deploy.gate import LOST
from upschedule.deploy.situation import Phase


def watch(follower: Follower, *, seconds: float) -> ExitCode:
    """Changes nothing."""
    in_time, last = follower.until(settled, seconds=seconds)
    if not in_time:
        waiting = any(each.phase is Phase.WAITING for each in last.values())
        return ExitCode.UNDER_WAY if waiting else ExitCode.TOO_LONG
    return ExitCode.FAILED if any(each.phase in LOST for each in last.values()) else ExitCode.DONE
