"""Reports when the disk of the local stack's data is full, and when it has space again."""

import shutil
from collections.abc import Callable
from pathlib import Path

# Below the first an upload of the largest size may fail, with the database's journal (16 MB a segment) beside it.
_FULL_BYTES = 30_000_000
_SPACE_BYTES_MIN = 60_000_000


class DiskWatch:
    """Checks the free space of `data` at each call of `poll`."""

    def __init__(self, data: Path, *, report: Callable[[str], None]) -> None:
        self._data = data
        self._report = report
        self._full = False

    def poll(self) -> None:
        """Call it periodically; it reports changes only."""
        free_bytes = shutil.disk_usage(self._data).free
        # With two thresholds, a disk at one of them does not fill the screen.
        full = free_bytes < (_SPACE_BYTES_MIN if self._full else _FULL_BYTES)
        if full == self._full:
            return
        self._full = full
        free = f"{free_bytes / 1e6:.0f} MB are free"
        if full:
            self._report(
                f"The disk of {self._data.resolve()} is full ({free}): uploads are refused until there is room, pages "
                "and calendars go on. Free some space."
            )
        else:
            self._report(f"The disk of {self._data.resolve()} has room again ({free})")
