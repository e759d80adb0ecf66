"""Says how far a restore has come, and how long it will still take."""

import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

_LOOK_SECONDS = 2.0
_TENTHS = 10


@contextmanager
def reporting_size(
    folder: Path, size_bytes: int, report: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Generator[None]:
    """Reports each further tenth of `size_bytes` that is in the folder, from a thread of its own."""
    ended = threading.Event()
    began = clock()

    def look() -> None:
        said = 0
        while not ended.wait(_LOOK_SECONDS):
            ratio = _size_of(folder) / max(size_bytes, 1)
            if int(ratio * _TENTHS) > said:
                said = int(ratio * _TENTHS)
                report(progress_line(ratio, clock() - began))

    thread = threading.Thread(target=look, name="restore-progress")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def progress_line(ratio: float, seconds: float) -> str:
    """The progress of restoring the files; the write-ahead log is restored after them."""
    left = seconds * (1 - ratio) / ratio if 0 < ratio < 1 else 0.0
    return f"Restoring the files: {min(ratio, 1.0):.0%}, about {left:.0f} s left"


def _size_of(folder: Path) -> int:
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - thousands of files, every two seconds
            except OSError:
                # pgBackRest renames its files while they are counted.
                continue
    return size
