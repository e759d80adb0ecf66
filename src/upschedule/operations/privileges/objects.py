"""What each process may do in the S3 store, as SeaweedFS names it. Deleting is a kind of writing."""

from collections.abc import Mapping

from upschedule.operations.privileges.identities import Process

#: Every key may look for this object, which need not exist: an answer tells that store, bucket and key work.
PROBE = ".ready"

ACTIONS: Mapping[Process, tuple[str, ...]] = {
    "api": ("Write",),
    "worker": ("Read",),
    "scheduler": ("List", "Write"),
}


def actions_of(process: Process, bucket: str) -> list[str]:
    """`*` in `bucket` matches any text. Without one at its end SeaweedFS takes a path for the name of a bucket."""
    return [*(f"{action}:{bucket}" for action in ACTIONS[process]), f"Read:{bucket}/{PROBE}*"]
