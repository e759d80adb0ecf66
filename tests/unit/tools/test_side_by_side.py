"""Commands run beside each other, each output is whole, and nothing of them is left."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.paths import ROOT
from tests.support.servers import wait_until
from tools.side_by_side import SHARE_VARIABLE, own_share

SECONDS = 60
#: Makes the file `NAME-runs`; at SIGTERM it says that it has removed what it had made.
CAREFUL = """
import pathlib, signal, sys

name = sys.argv[1]
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print(name, "begins", flush=True)
pathlib.Path(f"{name}-runs").touch()
signal.sigwait({signal.SIGTERM})
pathlib.Path(f"{name}-removed").touch()
print(name, "removed", flush=True)
"""
#: Makes the same file, and cannot be ended by SIGTERM.
STUBBORN = """
import os, pathlib, signal, sys

signal.signal(signal.SIGTERM, signal.SIG_IGN)
unfinished = pathlib.Path("unfinished")
unfinished.write_text(str(os.getpid()))
unfinished.rename(f"{sys.argv[1]}-runs")
signal.pause()
"""


class Start(Protocol):
    def __call__(self, *commands: str) -> "subprocess.Popen[str]":
        """In the folder of the test."""
        ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    (tmp_path / "careful.py").write_text(CAREFUL)
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    with ExitStack() as started:

        def begin(*commands: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-m", "tools.side_by_side", *commands],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.terminate)
            return process

        yield begin


def shell(script: str) -> str:
    """As one command."""
    return shlex.join(["sh", "-c", script])


def careful(name: str) -> str:
    return shlex.join([sys.executable, "careful.py", name])


def once(name: str, then: str) -> str:
    """A command that waits until the program of this name runs."""
    return shell(f"until [ -e {name}-runs ]; do sleep 0.05; done; {then}")


def ended(process: "subprocess.Popen[str]") -> tuple[int, list[str]]:
    """The exit code, and all lines."""
    output, _ = process.communicate(timeout=SECONDS)
    return process.returncode, output.splitlines()


def test_commands_run_at_the_same_time_and_their_output_is_not_mixed(start: Start, tmp_path: Path) -> None:
    """Each waits for the other in the middle of its output."""
    os.mkfifo(tmp_path / "meeting")
    code, lines = ended(
        start(
            shell("echo first begins; echo hello >meeting; echo first ends"),
            shell("echo second begins; read word <meeting; echo $word, second ends"),
        )
    )

    assert code == 0
    assert lines[:2] == ["first begins", "first ends"]
    second = lines.index("second begins")
    assert lines[second + 1] == "hello, second ends"
    assert [line.rpartition(": ")[2].split()[0] for line in lines[-2:]] == ["passed", "passed"]


def test_each_command_has_a_share_of_its_own(start: Start) -> None:
    """By which tests take different ports."""
    _, lines = ended(start(*[shell("echo share $" + SHARE_VARIABLE)] * 3))

    shares = [own_share({SHARE_VARIABLE: line.split()[1]}) for line in lines if line.startswith("share ")]
    assert shares == [(0, 3), (1, 3), (2, 3)]
    assert own_share({}) == (0, 1)


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failure_ends_the_others_in_order(start: Start, failing: int) -> None:
    """What another command has to remove, it removes; the exit code is that of the failure."""
    commands = [careful("other")]
    commands.insert(failing, once("other", "exit 3"))
    code, lines = ended(start(*commands))

    assert code == 3
    assert "other removed" in lines
    assert any("failed with code 3" in line and "are being ended" in line for line in lines)


def test_what_a_command_started_has_time_to_end_although_the_command_has_ended(start: Start) -> None:
    """As pytest, which stops a cluster, below nox, which SIGTERM ends at once."""
    code, lines = ended(start(once("below", "exit 1"), shell(f"{careful('below')}; true")))

    assert code == 1
    assert "below removed" in lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, or a CI's limit of time; what was printed until then is shown."""
    process = start(careful("first"), careful("second"))
    await_running(tmp_path, "first", "second")
    process.send_signal(number)
    code, lines = ended(process)

    assert code == 128 + number
    assert lines[:2] == ["first begins", "first removed"]
    assert lines[lines.index("second begins") + 1] == "second removed"


@pytest.mark.parametrize("exits", [0, 1])
def test_nothing_is_left_of_a_command(start: Start, tmp_path: Path, exits: int) -> None:
    """Not even what has a session of its own, whose parent has ended, and which SIGTERM does not end."""
    leave = f"setsid --fork {sys.executable} stubborn.py left"
    code, _ = ended(start(shell(f"{leave}; until [ -e left-runs ]; do sleep 0.05; done; exit {exits}"), "true"))

    assert code == exits
    assert not Path("/proc", (tmp_path / "left-runs").read_text()).exists()


def test_commands_end_when_the_program_is_killed(start: Start, tmp_path: Path) -> None:
    """SIGKILL leaves it no time to end them."""
    process = start(careful("only"))
    await_running(tmp_path, "only")
    process.kill()

    wait_until((tmp_path / "only-removed").exists, timeout_seconds=SECONDS)


@pytest.mark.parametrize("commands", [(), ("true", "")])
def test_an_empty_command_is_refused(start: Start, commands: tuple[str, ...]) -> None:
    """Rather than taken for one that passed."""
    code, lines = ended(start(*commands))

    assert code == 2
    assert [line[:6] for line in lines] == ["usage:"]


def await_running(folder: Path, *names: str) -> None:
    for name in names:
        wait_until((folder / f"{name}-runs").exists, timeout_seconds=SECONDS)
