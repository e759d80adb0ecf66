"""A restored server whose data folder is kept, and how it takes the place of the one before."""

import ctypes
import os
import signal
from dataclasses import replace
from pathlib import Path

from upschedule.operations.cluster_backup.scratch import ScratchServer
from upschedule.operations.embedded.server import Command

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# A checkpoint of everything that was recovered.
_STOP_SECONDS = 600.0


class DraftServer(ScratchServer):
    """Writes to the disk, and ends with a checkpoint.

    It archives nothing, and keeps what it would have archived: once the data are in their place, the server that takes
    them over archives its new timeline without a gap. A draft that is thrown away leaves no trace in the archive.
    """

    def command(self) -> Command:
        return replace(super().command(), stop_signal=signal.SIGINT, stop_timeout_seconds=_STOP_SECONDS)

    def options(self) -> dict[str, str]:
        return super().options() | {"fsync": "on", "archive_mode": "on", "archive_command": "/bin/false"}

    @property
    def ended_in_order(self) -> bool:
        """Whether the stopped server left nothing to recover."""
        return self._exit_code() == 0


def exchange(first: Path, second: Path) -> None:
    """Exchanges two names atomically. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.renameat2(_AT_FDCWD, bytes(first), _AT_FDCWD, bytes(second), _RENAME_EXCHANGE)
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(second))
    for folder in {first.parent, second.parent}:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
