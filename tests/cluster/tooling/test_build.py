"""`make cluster-tools` uses existing programs, and reports missing compilers before it starts a build of minutes."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools.cluster.pinned_programs import PROGRAMS, cache

NAMES = [program.name for program in PROGRAMS]


def build(
    *, path: Path | str | None = None, cache_home: Path | None = None, tree: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if path:
        environment["PATH"] = str(path)
    if cache_home:
        environment["XDG_CACHE_HOME"] = str(cache_home)
    command = [sys.executable, "-m", "tools.cluster.build", "--print-path"]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder that serves as the whole PATH and contains only what every system has."""
    folder = tmp_path / "bare"
    folder.mkdir()
    link(folder, "nice")
    return folder


def link(folder: Path, name: str) -> None:
    found = shutil.which(name)
    assert found, f"{name} is needed for this test"
    (folder / name).symlink_to(found)


def test_what_was_built_before_is_not_built_again(programs: Path) -> None:
    """Each program prints the pinned version."""
    again = build()

    assert again.returncode == 0, again.stderr
    assert "building" not in again.stderr
    assert again.stdout.split(os.pathsep)[0] == str(programs)
    for program in PROGRAMS:
        assert f"{program.name} {program.version}: " in again.stderr


def test_a_program_on_path_in_the_right_version_is_used(programs: Path, tmp_path: Path) -> None:
    """An official release then replaces the project's own build."""
    official = tmp_path / "official"
    official.mkdir()
    for name in NAMES:
        shutil.copy(programs / name, official)
    found = build(path=f"{official}{os.pathsep}{os.environ['PATH']}", cache_home=tmp_path / "cache")

    assert found.returncode == 0, found.stderr
    folder = Path(found.stdout.split(os.pathsep)[0])
    assert {name: (folder / name).resolve() for name in NAMES} == {name: official / name for name in NAMES}


def test_without_go_the_sentence_says_what_to_install(bare: Path, tmp_path: Path) -> None:
    """Nothing is downloaded, and no partial build remains."""
    failed = build(path=bare, cache_home=tmp_path / "cache")

    assert failed.returncode == 1
    assert "go is missing. Install Go 1.26 or newer" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_without_gcc_only_nomad_cannot_be_built(programs: Path, bare: Path, tmp_path: Path) -> None:
    """Programs that were found on PATH are still used."""
    for name in ("nomad-autoscaler", "pulumi"):
        shutil.copy(programs / name, bare)
    link(bare, "go")
    failed = build(path=bare, cache_home=tmp_path / "cache")

    assert failed.returncode == 1
    assert "nomad-autoscaler 0.3.7: found" in failed.stderr
    assert "nomad 1.6.1 is not on PATH and must be built, but gcc is missing" in failed.stderr


def test_the_cache_is_named_by_the_pins_alone(tmp_path: Path) -> None:
    """A clone shares the cache. Another version of a module gets its own."""
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "tools" / "cluster", clone / "tools" / "cluster")
    question = [sys.executable, "-c", "from tools.cluster.pinned_programs import cache; print(cache())"]

    def named() -> str:
        return subprocess.run(question, cwd=clone, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    assert named() == str(cache())
    pins = clone / "tools" / "cluster" / "consul" / "go.mod"
    pins.write_text(pins.read_text(encoding="utf-8") + "// another\n", encoding="utf-8")
    assert named() != str(cache())


def test_two_builds_wait_for_each_other(programs: Path) -> None:
    """The second build prints what it waits for."""
    command = [sys.executable, "-m", "tools.cluster.build"]
    with (programs.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as second:
            assert second.stderr
            assert "waiting for it" in second.stderr.readline()
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert second.wait(60) == 0
