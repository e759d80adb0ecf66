"""Records the running release for a command, which continues if recording is refused."""

from upschedule.deploy.environment import Cluster
from upschedule.deploy.errors import ServerRefused, ServerUnreachable
from upschedule.deploy.records.store import RecordTooLarge


def record_release(cluster: Cluster) -> None:
    """Call it whenever a release may have settled. Raises ServerUnreachable."""
    try:
        recorded = cluster.records.record()
    except (ServerRefused, RecordTooLarge) as error:
        cluster.report(f"The release is not recorded, so a later one may not go back to it: {error}")
        return
    for label in recorded.added:
        cluster.report(f"Release {label} is recorded: `upschedule deploy revert` can start it again.")


def record_result(cluster: Cluster) -> None:
    """Like `record_release`, at the end of a command whose result does not depend on it."""
    try:
        record_release(cluster)
    except ServerUnreachable as error:
        cluster.report(f"The release is not recorded yet, the next command does it: {error}")
