"""Zygotes and children as the kernel sees them."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from upschedule.pdf.sandbox import Sandbox


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


def _status(process_id: int) -> str:
    try:
        return Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(process_id: int) -> bool:
    """False also for a zombie, which nobody may be there to reap."""
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
