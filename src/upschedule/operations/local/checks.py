"""What must hold before `make run` starts anything; each refusal says what to do."""

import fcntl
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from upschedule.operations.embedded.ports import is_free

DISK_BYTES_MIN = 1_000_000_000
# Below the first an upload of the largest size may fail, with the database's journal (16 MB a segment) beside it.
_FULL_BYTES = 30_000_000
_ROOM_BYTES_MIN = 60_000_000


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


class DiskWatch:
    """Says when the disk of the data is full, and when there is room again. `check` is called again and again."""

    def __init__(self, data: Path, *, say: Callable[[str], None]) -> None:
        self._data = data
        self._say = say
        self._full = False

    def check(self) -> None:
        free_bytes = shutil.disk_usage(self._data).free
        # Two thresholds, so that a disk at one of them does not fill the screen.
        full = free_bytes < (_ROOM_BYTES_MIN if self._full else _FULL_BYTES)
        if full == self._full:
            return
        self._full = full
        free = f"{free_bytes / 1e6:.0f} MB are free"
        if full:
            self._say(
                f"The disk of {self._data.resolve()} is full ({free}): uploads are refused until there is room, pages "
                "and calendars go on. Free some space."
            )
        else:
            self._say(f"The disk of {self._data.resolve()} has room again ({free})")


@contextmanager
def exclusive(data: Path) -> Generator[None]:
    """One stack for each data directory; the kernel lets go when the process ends, however it ends."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise AnotherStackRuns(data, lock.read().strip()) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def check_room(data: Path, *, port: int, free_bytes_min: int = DISK_BYTES_MIN) -> None:
    """Raises PortInUse or DiskTooFull."""
    if not is_free(port):
        raise PortInUse(port)
    free_bytes = shutil.disk_usage(data).free
    if free_bytes < free_bytes_min:
        raise DiskTooFull(data, free_bytes, free_bytes_min)
