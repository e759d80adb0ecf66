"""A program in the background: started once, found again by its pid file, ended for certain."""

import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.local_cluster.errors import ClusterError
from tools.local_cluster.polling import wait_for

LOG_LINES = 12
# Nomad hands its own on to tasks: whoever starts it has tokens in theirs, and settings that are not for the tasks.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


@dataclass(frozen=True, kw_only=True)
class Process:
    """`folder` holds its pid and its log; `argv` is a path and arguments, of which one names a file in `folder`."""

    name: str
    folder: Path
    argv: Sequence[str]

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def pid(self) -> int | None:
        """None where it does not run."""
        try:
            pid = int((self.folder / f"{self.name}.pid").read_text(encoding="ascii"))
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        # A number is given again; a zombie has no command line.
        return pid if str(self.folder).encode() in words else None

    def start(self) -> None:
        """Does nothing where it runs already."""
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
            # Ctrl-C at the terminal is not for it.
            setsid=True,
        )
        (self.folder / f"{self.name}.pid").write_text(str(pid), encoding="ascii")

    def stop(self, *, timeout_seconds: float) -> None:
        """SIGTERM, and SIGKILL when that does not help."""
        for number, seconds in ((signal.SIGTERM, timeout_seconds), (signal.SIGKILL, 5.0)):
            pid = self.pid()
            if pid is None:
                return
            os.kill(pid, number)
            self._await_end(pid, seconds)
        raise ClusterError(f"{self.name} (process {self.pid()}) does not end.")

    def failure(self, problem: str) -> ClusterError:
        """With the end of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:] if self.log.exists() else []
        return ClusterError("\n  ".join([f"{self.name} {problem}; {self.log} ends with:", *lines]))

    def _await_end(self, pid: int, seconds: float) -> None:
        wait_for(lambda: self.pid() is None, timeout_seconds=seconds)
        reap(pid)


def reap(pid: int) -> None:
    """One that ended stays a zombie until its parent asks; the parent may also be an earlier run, which is gone."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
