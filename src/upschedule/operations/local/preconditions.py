"""Preconditions of `make run`: the data directory is unused, the port is free, the disk has space.

The message of each refusal says what to do.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from upschedule.operations.embedded.ports import is_free

DISK_BYTES_MIN = 1_000_000_000


class LocalStackRefused(Exception):
    """The local stack cannot start here."""


class AnotherStackRuns(LocalStackRefused):
    def __init__(self, data: Path, process: str) -> None:
        super().__init__(
            f"{data} is in use by a running `make run` (process {process or 'unknown'}). "
            "Stop that one, or choose other data: UPSCHEDULE_DATA=directory make run."
        )


class PortInUse(LocalStackRefused):
    def __init__(self, port: int) -> None:
        super().__init__(f"Port {port} is taken. Stop what uses it, or choose another: PORT={port + 1} make run.")


class DiskTooFull(LocalStackRefused):
    def __init__(self, data: Path, free_bytes: int, free_bytes_min: int) -> None:
        super().__init__(
            f"Only {free_bytes / 1e9:.1f} GB are free for {data}; {free_bytes_min / 1e9:.0f} GB are needed. "
            "Free some, or choose another disk: UPSCHEDULE_DATA=directory make run."
        )


@contextmanager
def exclusive(data: Path) -> Generator[None]:
    """Lock the data directory for one stack. The kernel releases the lock when the process ends, however it ends."""
    data.mkdir(parents=True, exist_ok=True)
    with locked(data / "lock", lambda process: AnotherStackRuns(data, process)):
        yield


@contextmanager
def locked(path: Path, refusal: Callable[[str], Exception]) -> Generator[None]:
    """Hold the lock file. Raises `refusal` of the process that holds it; its number may be empty."""
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise refusal(lock.read().strip()) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def check_port_and_disk(data: Path, *, port: int, free_bytes_min: int = DISK_BYTES_MIN) -> None:
    """Raises PortInUse or DiskTooFull."""
    if not is_free(port):
        raise PortInUse(port)
    free_bytes = shutil.disk_usage(data).free
    if free_bytes < free_bytes_min:
        raise DiskTooFull(data, free_bytes, free_bytes_min)
