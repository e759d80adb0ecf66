"""Tasks, mounts and control groups that outlive agents which were killed."""

import os
import signal
from pathlib import Path

from tests.cluster.tooling.agent import clean_up, writing_below
from tests.servers import wait_until

CGROUPS = Path("/sys/fs/cgroup")


def end_tasks(folder: Path, cgroup: str) -> None:
    """Kill the machine's tasks and their supervisors, and wait until they and their control groups are gone."""
    tasks = members(cgroup)
    own = {group for task in tasks for group in groups_of(task)}

    def none_left() -> bool:
        left = {*writing_below(folder), *members(cgroup)}
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue  # It ended meanwhile.
        return not left

    wait_until(none_left)
    for group in own:
        wait_until(lambda group=group: gone(group))


def remove_leftovers(folder: Path, cgroup: str) -> None:
    end_tasks(folder, cgroup)
    if (folder / "data").exists():
        clean_up(folder, cgroup)


def members(cgroup: str) -> set[int]:
    """Processes in the control groups below the client's own; Nomad has it for the controller `cpuset` only."""
    lists = CGROUPS.glob(f"*/{cgroup}/**/cgroup.procs")
    return {int(process) for path in lists for process in path.read_text(encoding="ascii").split()}


def groups_of(process: int) -> set[Path]:
    """Those that Nomad made for this task alone: `/nomad/ID` of each controller."""
    found: set[Path] = set()
    try:
        lines = Path(f"/proc/{process}/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return found  # It ended meanwhile.
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if path.startswith("/nomad/"):
            found.add(CGROUPS / (controllers.removeprefix("name=") or "unified") / path.lstrip("/"))
    return found


def gone(group: Path) -> bool:
    """Also when it had to be removed; the kernel keeps one for a moment after its last process."""
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
