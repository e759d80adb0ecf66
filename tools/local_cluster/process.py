"""A program in the background: started once, found again by its pid file, ended for certain."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.local_cluster.errors import ClusterError

LOG_LINES = 12


@dataclass(frozen=True, kw_only=True)
class Process:
    """`folder` holds its configuration, its pid and its log; `argv` names a file in it, which tells it from others."""

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
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                self.argv, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        (self.folder / f"{self.name}.pid").write_text(str(child.pid), encoding="ascii")

    def stop(self, *, timeout_seconds: float) -> None:
        """SIGTERM, and SIGKILL when that does not help."""
        for number, seconds in ((signal.SIGTERM, timeout_seconds), (signal.SIGKILL, 5.0)):
            pid = self.pid()
            if pid is None:
                return
            os.kill(pid, number)
            self._await_end(seconds)
        raise ClusterError(f"{self.name} (process {self.pid()}) does not end.")

    def failure(self, problem: str) -> ClusterError:
        """With the end of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:] if self.log.exists() else []
        return ClusterError("\n  ".join([f"{self.name} {problem}; {self.log} ends with:", *lines]))

    def _await_end(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.pid() is not None and time.monotonic() < deadline:
            reap()
            time.sleep(0.05)


def reap() -> None:
    """A child that ended stays a zombie until its parent asks; here the parent may be an earlier run."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
