"""Rights of each process in the S3 store, as SeaweedFS names them. Deleting is a kind of writing."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from upschedule.operations.privileges.identities import Backup, Process

#: Every key may look up this object, which need not exist: an answer shows that store, bucket and key work.
PROBE = ".ready"

#: From the file that the cluster reads as well.
ACTIONS: Mapping[Process, tuple[str, ...]] = msgspec.json.decode(
    Path(__file__).with_name("objects.json").read_bytes(), type=dict[Process, tuple[str, ...]]
)

#: Of the backups: what copies files of documents, and what brings them back.
BACKUP_ACTIONS: Mapping[Backup, tuple[str, ...]] = {"object-copies": ("Read",), "restore": ("Read", "Write")}


def actions_of(identity: Process | Backup, bucket: str) -> list[str]:
    """`*` in `bucket` matches any text. Without one at its end SeaweedFS takes a path for the name of a bucket."""
    return [*(f"{action}:{bucket}" for action in {**ACTIONS, **BACKUP_ACTIONS}[identity]), f"Read:{bucket}/{PROBE}*"]
