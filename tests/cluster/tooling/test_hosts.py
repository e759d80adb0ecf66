"""Units and scripts of a production machine: systemd accepts the units, and their programs are installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT

HOSTS = ROOT / "hosts"
UNITS = sorted(path.name for kind in ("*.service", "*.timer") for path in (HOSTS / "systemd").glob(kind))
#: Programs that docs/production.md installs, or that Debian has.
PROGRAMS = ("usr/local/bin/consul", "usr/local/bin/nomad", "bin/kill")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The root of a file system with the units and the programs."""
    units = tmp_path / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    for name in UNITS:
        shutil.copyfile(HOSTS / "systemd" / name, units / name)
    commands = [f"usr/local/sbin/{path.name}" for path in (HOSTS / "sbin").iterdir()]
    for name in (*PROGRAMS, *commands):
        program = tmp_path / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(mode=0o755)
    return tmp_path


def verify(machine: Path, unit: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "verify", f"--root={machine}", "--man=no", "--recursive-errors=no", unit]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_accepts_each_unit(machine: Path, unit: str) -> None:
    """The check prints no warning about an unknown key."""
    done = verify(machine, unit)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_unit_whose_program_is_not_installed_is_found(machine: Path) -> None:
    """This control shows that the test before can fail."""
    (machine / "usr/local/bin/nomad").unlink()

    assert "/usr/local/bin/nomad is not executable" in verify(machine, "nomad.service").stderr


@pytest.mark.parametrize("path", sorted((HOSTS / "sbin").iterdir()), ids=lambda path: path.name)
def test_each_command_is_a_script_that_a_shell_reads(path: Path) -> None:
    """The script names sh in its first line, which is not bash on Debian."""
    assert path.stat().st_mode & 0o111 == 0o111
    assert path.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    done = subprocess.run(["sh", "-n", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
