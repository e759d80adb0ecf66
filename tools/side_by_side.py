"""Runs commands beside each other, with their output one after the other.

`python3 -m tools.side_by_side COMMAND COMMAND …`: each argument is a whole command, such as "make test". What the first
command prints is shown as it comes, what the others print when all have ended. Once a command fails, or this program
receives SIGINT or SIGTERM, the others receive SIGTERM. The exit code is that of the command that failed first.
"""

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import BinaryIO

#: The environment variable with the number of a command, from 0, and how many there are: `0/2`. By it the commands take
#: different ports.
SHARE_VARIABLE = "SIDE_BY_SIDE"
#: After SIGTERM, until SIGKILL: tests stop a whole cluster in this time.
STOP_SECONDS = 120.0
#: Until what received SIGKILL has ended.
KILL_SECONDS = 20.0
PAUSE_SECONDS = 0.05
PR_SET_CHILD_SUBREAPER = 36
USAGE_CODE = 2


class Interrupted(BaseException):
    """SIGINT or SIGTERM; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(kw_only=True)
class Command:
    """`output` is None for the command whose output is shown as it comes."""

    text: str
    process: "subprocess.Popen[bytes]"
    output: BinaryIO | None
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def code(self) -> int | None:
        """None while it runs."""
        return self.process.returncode

    def ended(self, status: int) -> None:
        """`status` is what the kernel says of the process."""
        # Popen does not find this out itself: this program waits for all its children, not only for those of Popen.
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.seconds = time.monotonic() - self.started

    def outcome(self) -> str:
        code = self.code
        how = "passed" if code == 0 else f"ended by signal {-code}" if code and code < 0 else f"failed with code {code}"
        return f"{self.text}: {how} after {self.seconds:.0f} s"


def main(*texts: str) -> int:
    """The exit code."""
    if not all(shlex.split(text) for text in texts) or not texts:
        print("usage: python3 -m tools.side_by_side COMMAND …", file=sys.stderr)
        return USAGE_CODE
    # What a command leaves behind becomes a child of this program, which can therefore find it and end it.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with ExitStack() as files, _interruptible():
        commands: list[Command] = []
        try:
            for number, text in enumerate(texts):
                output = files.enter_context(tempfile.TemporaryFile()) if number else None
                commands.append(_start(text, f"{number}/{len(texts)}", output))
            code = _await(commands)
        except Interrupted as reason:
            code = 128 + reason.number
        finally:
            _ignore_signals()
            _end(commands)
        _show(commands)
    return code


def own_share(environment: Mapping[str, str]) -> tuple[int, int]:
    """The number of the command in whose environment this is, from 0, and how many there are."""
    number, count = environment.get(SHARE_VARIABLE, "0/1").split("/")
    return int(number), int(count)


@contextmanager
def _interruptible() -> Generator[None]:
    """SIGINT and SIGTERM raise Interrupted; in the end they do again what they did."""
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)


def _ignore_signals() -> None:
    """A second one must not keep this program from ending what it started."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _start(text: str, share: str, output: BinaryIO | None) -> Command:
    # In a session of its own, whose processes receive signals together. If this program is killed, it ends as well.
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", *shlex.split(text)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        env={**os.environ, SHARE_VARIABLE: share},
        start_new_session=True,
    )
    return Command(text=text, process=process, output=output)


def _await(commands: Sequence[Command]) -> int:
    """The exit code: returns once a command has failed, or all have passed."""
    while True:
        _reap(commands)
        for command in commands:
            if command.code:
                print(f"\n{command.outcome()}; the others are being ended …", flush=True)
                return command.code if command.code > 0 else 128 - command.code
        if all(command.code == 0 for command in commands):
            return 0
        time.sleep(PAUSE_SECONDS)


def _reap(commands: Sequence[Command]) -> None:
    """Takes note of every process that has ended, also of those that commands left behind."""
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            process, status = found
            for command in commands:
                if command.process.pid == process:
                    command.ended(status)


def _end(commands: Sequence[Command]) -> None:
    """Asks all that still runs to end; then nothing is left that a command started."""
    # A command may have ended before what it started, as nox ends before pytest when both receive SIGTERM.
    groups = [command.process.pid for command in commands]
    groups = [group for group in groups if _signal(group, signal.SIGTERM)]
    deadline = time.monotonic() + STOP_SECONDS
    while any(_signal(group, 0) for group in groups) and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        _reap(commands)
    deadline = time.monotonic() + KILL_SECONDS
    while (left := _descendants(os.getpid())) and time.monotonic() < deadline:
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(PAUSE_SECONDS)
        _reap(commands)


def _signal(group: int, number: int) -> bool:
    """Whether a process of the group is left; 0 as the number only asks."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _descendants(top: int) -> list[int]:
    """The processes below `top`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # The name of the program comes before, in parentheses, and may hold anything.
            parent = int((entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue  # It ended meanwhile.
        children.setdefault(parent, []).append(int(entry.name))
    found = [top]
    for process in found:
        found += children.get(process, [])
    return found[1:]


def _show(commands: Sequence[Command]) -> None:
    """What was not shown yet, then how each command ended."""
    for command in commands:
        if command.output:
            print(f"\n--- {command.text} ---", flush=True)
            command.output.seek(0)
            shutil.copyfileobj(command.output, sys.stdout.buffer)
            sys.stdout.flush()
    for command in commands:
        print(command.outcome(), flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
