"""Zygotes and children as the kernel sees them."""

import asyncio
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

from upschedule.pdf.sandbox import Sandbox

T = TypeVar("T")


def zygote_of(sandbox: Sandbox) -> int:
    """The process id of its zygote."""
    assert sandbox._zygote is not None
    return sandbox._zygote._process.pid


def children_of(process_id: int) -> list[int]:
    """The process ids of its children that still run."""
    try:
        listed = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii")
    except FileNotFoundError:
        return []
    return [child for child in map(int, listed.split()) if is_running(child)]


def readers_of(zygote: int) -> list[int]:
    """Those of its children that are locked down: not the one that waits for the next document."""
    return [child for child in children_of(zygote) if "Seccomp:\t2" in _status(child)]


def name_of(process_id: int) -> str:
    """The name that `ps` and the kernel's log show."""
    return Path(f"/proc/{process_id}/comm").read_text(encoding="ascii").strip()


def names_of_processes() -> set[str]:
    """The names of all processes of this machine."""
    found: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # It ended meanwhile.
            found.add(name_of(int(process.name)))
    return found


class Seen(NamedTuple):
    """What the kernel tells about a process. `environment` and `descriptors` are None where only root may look."""

    command: list[str]
    status: dict[str, str]
    limits: dict[str, str]
    environment: bytes | None
    descriptors: list[str] | None

    @property
    def capabilities(self) -> set[str]:
        """Those that it has, may take, or would pass on."""
        return {self.status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}


def seen(process_id: int) -> Seen:
    """Raises FileNotFoundError or ProcessLookupError if it has ended."""
    place = Path(f"/proc/{process_id}")
    limits = (re.split(r"  +", line.strip()) for line in (place / "limits").read_text().splitlines()[1:])
    return Seen(
        command=(place / "cmdline").read_text().split("\0")[:-1],
        status=dict(line.split(":\t", 1) for line in (place / "status").read_text().splitlines() if ":\t" in line),
        limits={name: soft for name, soft, *_ in limits},
        environment=_for_root((place / "environ").read_bytes),
        descriptors=_for_root(lambda: [re.sub(r"\d+", "", str(link.readlink())) for link in (place / "fd").iterdir()]),
    )


def _for_root(look: Callable[[], T]) -> T | None:
    """A process that is not dumpable belongs to root in /proc: its own user must be refused."""
    if os.geteuid() == 0:
        return look()
    with pytest.raises(PermissionError):
        look()
    return None


def check_zygote(process_id: int) -> None:
    """Checks the process against decision 3."""
    zygote = seen(process_id)
    assert zygote.command[1:2] == ["-I"]
    assert zygote.environment in {b"", None}
    assert zygote.capabilities == {"0" * 16}
    assert zygote.status["NoNewPrivs"] == "1"
    assert zygote.limits["Max open files"] == "1024"
    own = {"/dev/null", "/memfd:zygote-stderr (deleted)", "socket:[]", "anon_inode:[pidfd]", "anon_inode:[eventpoll]"}
    assert set(zygote.descriptors or ()) <= own


def check_waiting_child(process_id: int) -> None:
    """Before it gets a document: one socket, through which it will come."""
    child = seen(process_id)
    assert child.environment in {b"", None}
    assert child.capabilities == {"0" * 16}
    assert child.status["NoNewPrivs"] == "1"
    assert sorted(child.descriptors or ["/dev/null"] * 3 + ["socket:[]"]) == ["/dev/null"] * 3 + ["socket:[]"]


def check_reader(child: Seen) -> None:
    """While it reads."""
    assert child.environment in {b"", None}
    assert child.capabilities == {"0" * 16}
    assert (child.status["NoNewPrivs"], child.status["Seccomp"]) == ("1", "2")
    none = ("Max open files", "Max file size", "Max processes", "Max core file size")
    assert {child.limits[name] for name in none} == {"0"}
    assert child.limits["Max address space"].isdecimal()
    assert child.limits["Max cpu time"].isdecimal()
    assert sorted(child.descriptors or ["/dev/null"] * 3 + ["socket:[]"]) == ["/dev/null"] * 3 + ["socket:[]"]


def _status(process_id: int) -> str:
    try:
        return Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(process_id: int) -> bool:
    """False also for a zombie, which may have no parent to reap it."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


async def until(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    """Wait for it, and fail if it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.01)
