"""Runs the README's two commands on a machine that has only Python, make and git.

`python -m tools.fresh_machine [run] [test]`, as root. Makes a minimal Debian 12. In it, first without root's rights and
then as root, it starts `make run`, uploads a schedule from outside, and starts `make test`: without root's rights that
must name what is missing and end, as root it must install it and pass.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

from tools.fresh_machine.machine import PERSON, ROOT, Machine, end, fresh_machine, interrupt
from tools.fresh_machine.upload import upload_schedule
from upschedule.operations.embedded.ports import free_port

SCHEDULE = ROOT / "src/upschedule/golden/lectures.pdf"
COMMANDS = ("run", "test")
READY_SECONDS = 900.0
REFUSAL_SECONDS = 120.0
TEST_SECONDS = 5400.0
#: The installation takes two lines, each server one, and the inside addresses one each.
RUN_LINES_MAX = 40


class UnexpectedOutcomeError(Exception):
    """A command did not do what the README says; the text says what it did."""


def main(*chosen: str) -> int:
    wanted = chosen or COMMANDS
    if os.geteuid() != 0 or not set(wanted) <= set(COMMANDS):
        print("usage, as root: python -m tools.fresh_machine [run] [test]", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _exit)
    took: dict[str, float] = {}
    try:
        with ExitStack() as opened:
            with _timed(took, "debootstrap"):
                machine = opened.enter_context(fresh_machine())
            _run_commands(machine, wanted, took)
    except UnexpectedOutcomeError as error:
        print(f"Not as promised: {error}", file=sys.stderr)
        return 1
    finally:
        for what, seconds in took.items():
            print(f"{seconds:7.1f} s  {what}", flush=True)
    return 0


def _run_commands(machine: Machine, wanted: Sequence[str], took: dict[str, float]) -> None:
    if "run" in wanted:
        for user in (PERSON, "root"):
            for occasion in ("first", "second"):
                _run(machine, user, f"make run as {user}, the {occasion} time", took)
    if "test" in wanted:
        with _timed(took, f"make test as {PERSON}, until it says what is missing"):
            _check_refusal(machine)
        with _timed(took, "make test as root"):
            _test(machine)


def _run(machine: Machine, user: str, what: str, took: dict[str, float]) -> None:
    """Starts `make run`, waits for `ready:`, uploads a schedule, and presses Ctrl-C."""
    with _running(machine, user, "make", "run", seconds=READY_SECONDS, PORT=str(free_port())) as (process, lines):
        shown: list[str] = []
        with _timed(took, f"{what}, until ready"):
            for line in lines:
                shown.append(line)
                if line.startswith("ready: "):
                    break
            else:
                raise UnexpectedOutcomeError(f"{what} ended before it was ready.")
        if len(shown) > RUN_LINES_MAX:
            raise UnexpectedOutcomeError(f"{what} printed {len(shown)} lines before it was ready.")
        with _timed(took, f"{what}, one upload"):
            events = upload_schedule(shown[-1].removeprefix("ready: ").strip(), SCHEDULE)
        print(f"The upload became {events} events.", flush=True)
        interrupt(process)
        if not any("Stopped; the data stay" in line for line in lines):
            raise UnexpectedOutcomeError(f"{what} did not stop in order after Ctrl-C.")


def _check_refusal(machine: Machine) -> None:
    """Checks that `make test` prints the command that installs what is missing, and runs no test."""
    with _running(machine, PERSON, "make", "test", seconds=REFUSAL_SECONDS) as (_, lines):
        shown = list(lines)
    if not shown or not re.search(r"^The tests need chromium-headless-shell, .*apt-get install .*chromium", shown[0]):
        raise UnexpectedOutcomeError(f"make test did not begin with what is missing, but with {shown[:1]}.")
    # The second line is make's own.
    if len(shown) > 2:  # noqa: PLR2004 - as the line above says
        raise UnexpectedOutcomeError("make test went on although something is missing.")


def _test(machine: Machine) -> None:
    last = ""
    slowest = {"PYTEST_ADDOPTS": "--durations=20"}
    with _running(machine, "root", "make", "test", seconds=TEST_SECONDS, **slowest) as (_, lines):
        for line in lines:
            last = line
    if not re.search(r"=+ \d+ passed", last):
        raise UnexpectedOutcomeError(f"make test as root ended with: {last}")


@contextmanager
def _running(
    machine: Machine, user: str, *command: str, seconds: float, **variables: str
) -> Generator[tuple["subprocess.Popen[str]", Iterator[str]]]:
    """The running command and its lines, which are also printed. It is killed after `seconds`."""
    process = machine.start(user, *command, **variables)
    alarm = threading.Timer(seconds, process.kill)
    alarm.start()
    try:
        yield process, _shown(process)
    finally:
        alarm.cancel()
        end(process)


def _shown(process: "subprocess.Popen[str]") -> Iterator[str]:
    for line in process.stdout or ():
        print(line, end="", flush=True)
        yield line


@contextmanager
def _timed(took: dict[str, float], what: str) -> Generator[None]:
    began = time.monotonic()
    yield
    took[what] = time.monotonic() - began


def _exit(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
