"""Starts and stops a program in the background; a later run finds it by its pid file."""

import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.local_cluster.errors import ClusterError
from tools.local_cluster.polling import wait_for

LOG_LINES = 12
# Nomad passes its environment on to tasks, which must not see the tokens and settings of the user who starts it.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


@dataclass(frozen=True, kw_only=True)
class Process:
    """`folder` has the pid file and the log; one of the arguments in `argv` must name a file in `folder`."""

    name: str
    folder: Path
    argv: Sequence[str]

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def pid(self) -> int | None:
        """None if it does not run."""
        try:
            pid = int((self.folder / f"{self.name}.pid").read_text(encoding="ascii"))
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        # The kernel reuses numbers, and a zombie has no command line.
        return pid if str(self.folder).encode() in words else None

    def start(self) -> None:
        """Starts the program unless it runs."""
        if self.pid() is not None:
            return
        appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawn(
            self.argv[0],
            list(self.argv),
            ENVIRONMENT,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), appending, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            # Ctrl-C at the terminal must not reach it.
            setsid=True,
        )
        (self.folder / f"{self.name}.pid").write_text(str(pid), encoding="ascii")

    def stop(self, *, timeout_seconds: float) -> None:
        """Sends SIGTERM, then SIGKILL after the timeout. Raises ClusterError if it still runs."""
        for number, seconds in ((signal.SIGTERM, timeout_seconds), (signal.SIGKILL, 5.0)):
            pid = self.pid()
            if pid is None:
                return
            os.kill(pid, number)
            self._await_end(pid, seconds)
        raise ClusterError(f"{self.name} (process {self.pid()}) does not end.")

    def failure(self, problem: str) -> ClusterError:
        """An error with the end of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:] if self.log.exists() else []
        return ClusterError("\n  ".join([f"{self.name} {problem}; {self.log} ends with:", *lines]))

    def _await_end(self, pid: int, seconds: float) -> None:
        wait_for(lambda: self.pid() is None, timeout_seconds=seconds)
        reap(pid)


def reap(pid: int) -> None:
    """Removes the zombie of an ended child. Its parent may also be an earlier run, which has ended."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
