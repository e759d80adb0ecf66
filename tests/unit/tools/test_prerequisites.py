"""The programs that the tests need from the system are checked before the first test."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.servers import scratch_directory
from tools.prerequisites import PARTS

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder that every user can read."""
    with scratch_directory() as scratch:
        (scratch / "programs").mkdir()
        yield scratch


@pytest.fixture
def bare(folder: Path) -> dict[str, str]:
    """An environment in which PATH contains no program and no browser was downloaded."""
    return {"PATH": str(folder / "programs"), "HOME": str(folder), "PLAYWRIGHT_BROWSERS_PATH": str(folder)}


def look(folder: Path, environment: dict[str, str], *parts: str) -> "subprocess.CompletedProcess[str]":
    """Runs the check as a user without root rights."""
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    return subprocess.run(
        [_system_python(), "-m", "tools.prerequisites", *parts],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        user=NOBODY if os.geteuid() == 0 else None,
    )


def _system_python() -> str:
    """That user may not have access to the interpreter of the tests."""
    found = shutil.which("python3", path="/usr/bin:/bin")
    assert found
    return found


def test_without_root_one_line_says_what_to_type(folder: Path, bare: dict[str, str]) -> None:
    """It ends with a failure, so that make starts no test."""
    (folder / "programs" / "apt-get").symlink_to("/bin/false")
    refused = look(folder, bare, "test")

    assert (refused.returncode, refused.stdout) == (1, "")
    [line] = refused.stderr.splitlines()
    assert line.startswith("The tests need chromium-headless-shell, ")
    command = line.partition("Install and run again: ")[2]
    assert command.startswith(
        "su -c 'apt-get update && apt-get install --yes --no-install-recommends chromium-headless-shell "
    )


def test_where_apt_is_missing_the_packages_are_named(folder: Path, bare: dict[str, str]) -> None:
    """Other distributions use other package names."""
    refused = look(folder, bare, "test", "cluster")

    assert refused.returncode == 1
    assert refused.stderr.startswith("The tests need what Debian 12 calls chromium-headless-shell, ")
    assert refused.stderr.count("\n") == 1


def test_an_unknown_part_is_refused(folder: Path, bare: dict[str, str]) -> None:
    """An unknown part must not count as one that needs nothing."""
    refused = look(folder, bare, "tests")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "usage: " in refused.stderr


def test_make_looks_before_it_lints_or_tests() -> None:
    """A missing program is reported first, and not after the installation and the linters."""
    command = ["make", "--dry-run", "--no-print-directory", "PYTHON=python3", "test"]
    planned = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True).stdout

    assert planned.splitlines()[0] == "python3 tools/bootstrap.py --prerequisites test"


def test_ci_has_no_list_of_its_own() -> None:
    """The script installs only what is needed to read the shared list."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    listed = {need.package for needs in PARTS.values() for need in needs} - {"python3.11"}

    assert "tools/bootstrap.py --prerequisites test cluster" in script
    assert not listed & set(re.split(r"[^\w.+-]+", script))


@pytest.mark.parametrize("chosen", ["tests/browser", "tests/browser/test_flow.py"])
def test_a_missing_chromium_is_one_line_and_no_test_runs(bare: dict[str, str], chosen: str) -> None:
    """Earlier, 28 tests failed with `Connection closed while reading from the driver`."""
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", chosen],
        cwd=ROOT,
        env=bare,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no tests ran" in result.stdout
    [line] = [line for line in (result.stdout + result.stderr).splitlines() if "chromium" in line]
    assert line.startswith("ERROR: The tests need ")
    assert "passed" not in result.stdout
    assert "error" not in result.stdout
