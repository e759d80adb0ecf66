"""Tasks, mounts and control groups that outlive agents which were killed."""

import os
import signal
from pathlib import Path

from tests.cluster.tooling.agent import clean_up, writing_below
from tests.servers import wait_until


def end_tasks(folder: Path, cgroup: str) -> None:
    """Kill the machine's tasks and their supervisors, and wait until they are gone."""

    def none_left() -> bool:
        left = {*writing_below(folder), *members(cgroup)}
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue  # It ended meanwhile.
        return not left

    wait_until(none_left)


def remove_leftovers(folder: Path, cgroup: str) -> None:
    end_tasks(folder, cgroup)
    if (folder / "data").exists():
        clean_up(folder, cgroup)


def members(cgroup: str) -> set[int]:
    """Processes in the control groups below."""
    lists = Path("/sys/fs/cgroup").glob(f"*/{cgroup}/**/cgroup.procs")
    return {int(process) for path in lists for process in path.read_text(encoding="ascii").split()}
