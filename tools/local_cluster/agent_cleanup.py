"""Removes what a Nomad agent leaves behind: tasks, collectors of logs, mounts and control groups."""

import os
import signal
import subprocess
from pathlib import Path

from tools.local_cluster.polling import wait_for

CGROUPS = Path("/sys/fs/cgroup")
END_SECONDS = 15.0


def clean_up(folder: Path, cgroup: str) -> None:
    """Ends and removes everything of the agent whose data are below `folder`, but not the data."""
    end_tasks(folder, cgroup)
    unmount(folder)
    for top in (*CGROUPS.glob(f"*/{cgroup}"), *CGROUPS.glob(cgroup)):
        for inner in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            inner.rmdir()
        wait_for(lambda top=top: remove_group(top), timeout_seconds=END_SECONDS)


def end_tasks(folder: Path, cgroup: str) -> None:
    """Kills the tasks and their supervisors, and waits until they and their control groups are gone."""
    groups = {group for task in processes_of(cgroup) for group in own_groups_of(task)}
    wait_for(
        lambda: not kill({*processes_with_files_below(folder), *processes_of(cgroup)}), timeout_seconds=END_SECONDS
    )
    for group in groups:
        wait_for(lambda group=group: remove_group(group), timeout_seconds=END_SECONDS)


def processes_with_files_below(folder: Path) -> set[int]:
    """Processes with an open file below `folder`: Nomad's collectors of logs outlive an agent that is killed."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                held = [opened.readlink() for opened in (entry / "fd").iterdir()]
            except OSError:
                continue  # It ended meanwhile.
            if any(path.is_relative_to(folder) for path in held):
                found.add(int(entry.name))
    return found


def processes_of(cgroup: str) -> set[int]:
    """Processes in the control groups below the client's; version 1 has that group for the controller `cpuset` only."""
    lists = (path for pattern in (f"*/{cgroup}", cgroup) for path in CGROUPS.glob(f"{pattern}/**/cgroup.procs"))
    return {int(process) for path in lists for process in path.read_text(encoding="ascii").split()}


def own_groups_of(process: int) -> set[Path]:
    """The control groups that Nomad made for this task only: with version 1 `/nomad/ID` of every other controller."""
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


def kill(processes: set[int]) -> set[int]:
    """Kills the processes and returns them, since they need a moment to end."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue  # It ended meanwhile.
    return processes


def remove_group(group: Path) -> bool:
    """Removes the group. False: the kernel still keeps it, as it does for a moment after the last process."""
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def unmount(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    for mount in sorted((mount for mount in mounts if Path(mount).is_relative_to(folder)), reverse=True):
        subprocess.run(["umount", mount], check=True)
