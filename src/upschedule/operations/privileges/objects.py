"""Rights of each process in the S3 store, as SeaweedFS names them. Deleting is a kind of writing."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from upschedule.operations.privileges.identities import Process

#: Every key may look up this object, which need not exist: an answer shows that store, bucket and key work.
PROBE = ".ready"

#: From the file that the cluster reads as well.
ACTIONS: Mapping[Process, tuple[str, ...]] = msgspec.json.decode(
    Path(__file__).with_name("objects.json").read_bytes(), type=dict[Process, tuple[str, ...]]
)


def actions_of(process: Process, bucket: str) -> list[str]:
    """`*` in `bucket` matches any text. Without one at its end SeaweedFS takes a path for the name of a bucket."""
    return [*(f"{action}:{bucket}" for action in ACTIONS[process]), f"Read:{bucket}/{PROBE}*"]
