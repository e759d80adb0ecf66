"""What a stopped Nomad agent leaves: collectors of logs, tasks, mounts, control groups."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tools.local_cluster.process import reap
from tools.local_cluster.waiting import wait_for

CGROUPS = Path("/sys/fs/cgroup")
END_SECONDS = 10.0


def clean_up(folder: Path, cgroup: str) -> None:
    """Ends and removes all that belongs to the agent whose data are below `folder`; the data themselves stay."""
    kill([*running_in(cgroup), *writing_below(folder)])
    unmount(folder)
    remove(cgroup)


def writing_below(folder: Path) -> list[int]:
    """Processes that hold a file of `folder` open; Nomad's collectors of logs outlive an agent that stops at once."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                held = [opened.readlink() for opened in (entry / "fd").iterdir()]
            except OSError:
                continue  # It ended meanwhile.
            if any(path.is_relative_to(folder) for path in held):
                found.append(int(entry.name))
    return found


def running_in(cgroup: str) -> list[int]:
    """Processes of tasks whose agent ended before them."""
    files = (file for top in groups(cgroup) for file in top.rglob("cgroup.procs"))
    return sorted({int(pid) for file in files for pid in file.read_text(encoding="ascii").split()})


def kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # It ended meanwhile.
    wait_for(lambda: reap() or not any(Path(f"/proc/{pid}").exists() for pid in pids), timeout_seconds=END_SECONDS)


def unmount(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    for mount in sorted((mount for mount in mounts if Path(mount).is_relative_to(folder)), reverse=True):
        subprocess.run(["umount", mount], check=True)


def remove(cgroup: str) -> None:
    for top in list(groups(cgroup)):
        for inner in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            inner.rmdir()
        top.rmdir()


def groups(name: str) -> Iterator[Path]:
    """One in each hierarchy of version 1, or the one of version 2."""
    yield from CGROUPS.glob(f"*/{name}")
    yield from CGROUPS.glob(name)
