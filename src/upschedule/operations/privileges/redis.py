"""Users of both Redis servers. The files beside this one hold their rules; the cluster reads the same files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

from upschedule.operations.privileges.identities import Process

Redis = Literal["state", "cache"]


def rules(server: Redis) -> Mapping[Process, str]:
    """The rules of each user, which has the name of its process."""
    text = Path(__file__).with_name(f"redis-{server}.acl").read_text(encoding="utf-8")
    lines = (line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {cast("Process", user): rest for user, rest in lines}
