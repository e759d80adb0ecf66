"""A server as a child process: starts it, waits until it answers, and stops it within a deadline."""

import os
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from upschedule.operations.embedded import launcher
from upschedule.operations.embedded.errors import ServerFailed
from upschedule.operations.embedded.identity import choose_identity, hand_over

LOG_BYTES_MAX = 10_000_000
_POLL_SECONDS = 0.03
_KILL_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Command:
    """`death_signal` is the signal that the kernel sends if the starter ends without stopping its server."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGTERM
    stop_timeout_seconds: float = 10.0


class Server(ABC):
    """A child of this process. The kernel ends the server when the thread that started it ends."""

    def __init__(self, name: str, directory: Path, *, programs: Sequence[Path]) -> None:
        """`directory` holds the server's data and its log; `programs` are the files it executes."""
        directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.directory = directory.resolve()
        self.log = self.directory / "log"
        self.identity = choose_identity([self.directory / "data", *programs])
        self._process: subprocess.Popen[bytes] | None = None
        self._stop_signal = signal.SIGTERM
        self._stop_timeout_seconds = 0.0

    @abstractmethod
    def command(self) -> Command:
        """The command to execute. Called at each start, after `prepare`."""

    @abstractmethod
    def probe(self) -> None:
        """Raise one of `unready` until the server answers a real request."""

    unready: tuple[type[Exception], ...] = (OSError,)

    def prepare(self) -> None:  # noqa: B027 - a hook that some servers leave empty
        """Write the files that the server reads."""

    def finish_start(self) -> None:  # noqa: B027 - as prepare
        """Create the objects that clients need, once the server answers."""

    @property
    def pid(self) -> int | None:
        """None before the first start."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, timeout_seconds: float = 60.0, pause: Callable[[float], None] = time.sleep) -> None:
        """Return once the server answers; `pause` may raise to give up. Raises ServerFailed."""
        self.spawn()
        self.await_ready(timeout_seconds=timeout_seconds, pause=pause)

    def spawn(self) -> None:
        """Begin to start; `await_ready` must follow."""
        self._end_group()
        self.prepare()
        command = self.command()
        hand_over(self.directory, self.identity)
        self._stop_signal, self._stop_timeout_seconds = command.stop_signal, command.stop_timeout_seconds
        self._process = self._launch(command)

    def await_ready(self, *, timeout_seconds: float, pause: Callable[[float], None] = time.sleep) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not self._answers():
            if not self.running:
                raise ServerFailed(self.name, f"ended with code {self._exit_code()}", self.log)
            if time.monotonic() > deadline:
                self.stop()
                raise ServerFailed(self.name, f"did not answer within {timeout_seconds:.0f} s", self.log)
            pause(_POLL_SECONDS)
        self.finish_start()

    def stop(self) -> None:
        """Ask the server to end, wait for its deadline, then kill it with its whole process group."""
        if self._process is None:
            return
        self.request_stop()
        try:
            self._process.wait(self._stop_timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._end_group()

    def request_stop(self) -> None:
        """Send the stop signal and return; `stop` must follow."""
        if self._process is not None and self.running:
            self._process.send_signal(self._stop_signal)

    def kill(self) -> None:
        """Send SIGKILL, which simulates a crash."""
        if self._process is not None and self.running:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_KILL_SECONDS)

    def _end_group(self) -> None:
        # Children of a server that crashed may hold its port.
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def bound_log(self) -> None:
        """Truncate the log when it has grown to LOG_BYTES_MAX, after copying it to `log.1`."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            # The server appends to its open file, so the file cannot be replaced.
            shutil.copyfile(self.log, self.log.with_name("log.1"))
            os.truncate(self.log, 0)

    def run_to_end(self, argv: Sequence[str], *, timeout_seconds: float) -> None:
        """Run a tool as the server's user, in its log. Raises ServerFailed."""
        hand_over(self.directory, self.identity)
        process = self._launch(Command(argv=argv))
        try:
            code = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait(_KILL_SECONDS)
        if code != 0:
            raise ServerFailed(Path(argv[0]).name, f"ended with code {code}", self.log)

    def _answers(self) -> bool:
        try:
            self.probe()
        except self.unready:
            return False
        return self.running

    def _exit_code(self) -> int | None:
        return self._process.returncode if self._process else None

    def _launch(self, command: Command) -> subprocess.Popen[bytes]:
        start = [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid()), str(int(command.death_signal))]
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the programs come from wheels, and the arguments from this package
                [*start, self.identity.value, *command.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env={"PATH": os.defpath, "HOME": str(self.directory), "LC_ALL": "C.UTF-8", **command.environment},
                start_new_session=True,
            )
