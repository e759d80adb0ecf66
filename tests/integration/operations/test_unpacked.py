"""Releases on a node are unpacked once, completely or not at all, and kept while they are used (R10.1, R12.1)."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.releases.archive_store import Store, archive, running_store
from upschedule.operations.embedded.ports import free_port

PROGRAM = ROOT / "jobs/release/unpacked.py"
KEPT = 8
SECONDS = "30"


@pytest.fixture
def store() -> Iterator[Store]:
    with running_store() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    releases = tmp_path / "releases"
    releases.mkdir()
    return releases


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, PROGRAM, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def fetch(folder: Path, *archives: tuple[str, str]) -> tuple[int, str]:
    """Returns the exit code and the error message."""
    process = start("fetch", folder, SECONDS, *(word for pair in archives for word in pair))
    _, complaint = process.communicate(timeout=60)
    return process.returncode, complaint


def place(folder: Path, archived: tuple[str, str]) -> Path:
    return folder / archived[1][:16]


def names(folder: Path) -> set[str]:
    """The names in the folder, except the lock."""
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_what_was_fetched_runs_and_is_fetched_once(store: Store, folder: Path) -> None:
    """Other users may read it."""
    environment = store.put("environment.tar.gz", archive({"library/__init__.py": "word = 'read'"}))
    sources = store.put("sources.tar.gz", archive({"src/program.py": "import library; print(library.word)"}))
    assert fetch(folder, environment, sources) == (0, "")
    assert fetch(folder, environment, sources) == (0, "")

    assert sorted(store.asked) == ["environment.tar.gz", "sources.tar.gz"]
    assert names(folder) == {place(folder, environment).name, place(folder, sources).name}
    assert stat.S_IMODE(place(folder, sources).stat().st_mode) == 0o755
    path = f"{place(folder, environment)}:{place(folder, sources)}/src"
    command = [sys.executable, PROGRAM, "run", SECONDS, place(folder, environment), place(folder, sources)]
    ran = subprocess.run(
        [*command, "--", "-m", "program"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout == "read\n"


def test_many_that_come_at_once_unpack_it_once(store: Store, folder: Path) -> None:
    """The first process unpacks, and the others wait for it."""
    archived = store.put("sources.tar.gz", archive({f"{number}.py": "" for number in range(200)}))
    store.going_on.clear()
    many = [start("fetch", folder, SECONDS, *archived) for _ in range(8)]
    assert store.half_sent.wait(30)
    store.going_on.set()
    assert [process.communicate(timeout=60)[1] for process in many] == [""] * 8
    assert store.asked == ["sources.tar.gz"]
    assert len(list(place(folder, archived).iterdir())) == 200


def test_who_is_killed_half_way_leaves_nothing_that_looks_whole(store: Store, folder: Path) -> None:
    """The next process starts from the beginning."""
    archived = store.put("sources.tar.gz", archive({"program.py": "word = 1\n" * 10_000}))
    store.going_on.clear()
    killed = start("fetch", folder, SECONDS, *archived)
    assert store.half_sent.wait(30)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)
    draft = folder / ".0123456789abcdef.draft"
    draft.mkdir()
    assert not place(folder, archived).exists()

    store.going_on.set()
    assert fetch(folder, archived) == (0, "")
    assert names(folder) == {place(folder, archived).name}


def test_other_bytes_than_the_release_names_are_refused(store: Store, folder: Path) -> None:
    """The check precedes the unpacking."""
    url, digest = store.put("sources.tar.gz", archive({"program.py": "good"}))
    store.put("sources.tar.gz", archive({"program.py": "evil"}))
    code, complaint = fetch(folder, (url, digest))
    assert code == 1
    assert f"and the release says {digest}: push the release again." in complaint
    assert names(folder) == set()


@pytest.mark.parametrize("hostile", [archive({"../outside.py": ""}), archive({}, link="etc")], ids=["above", "link"])
def test_an_archive_that_reaches_out_of_its_folder_is_refused(store: Store, folder: Path, hostile: bytes) -> None:
    """Archives with links are refused as well."""
    archived = store.put("sources.tar.gz", hostile)
    code, complaint = fetch(folder, archived)
    assert code == 1
    assert "this is no release" in complaint
    assert not (folder / "outside.py").exists()
    assert not place(folder, archived).exists()


def test_a_store_that_is_away_is_named(folder: Path) -> None:
    """The command tries three times."""
    url = f"http://127.0.0.1:{free_port()}/sources.tar.gz"
    code, complaint = fetch(folder, (url, "0" * 64))
    assert code == 1
    assert f"{url} cannot be fetched: " in complaint
    assert "Connection refused" in complaint


def test_what_runs_stays_and_of_the_rest_the_last_used(store: Store, folder: Path) -> None:
    """The number of later releases does not matter."""
    program = "import sys; print('runs', flush=True); sys.stdin.read()"
    many = [store.put(f"{number}.tar.gz", archive({"program.py": f"{number}"})) for number in range(KEPT + 4)]
    oldest, unused = many[0], many[1]
    assert fetch(folder, oldest) == (0, "")
    command = [sys.executable, PROGRAM, "run", SECONDS, place(folder, oldest), "--", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stdout.readline() == "runs\n"
        for archived in many[1:]:
            assert fetch(folder, archived) == (0, "")
        assert place(folder, oldest).exists()
        assert not place(folder, unused).exists()
        assert place(folder, many[-1]).exists()
        running.communicate("")

    later = store.put("later.tar.gz", archive({"program.py": "later"}))
    assert fetch(folder, later) == (0, "")
    assert not place(folder, oldest).exists()
    assert len(names(folder)) == KEPT + 1


def test_who_comes_before_the_release_waits_for_it(store: Store, folder: Path) -> None:
    """The tasks of an instance start at the same time."""
    archived = store.put("sources.tar.gz", archive({"program.py": ""}))
    store.going_on.clear()
    early = start("run", SECONDS, place(folder, archived), "--", "-c", "print('runs')")
    fetching = start("fetch", folder, SECONDS, *archived)
    assert store.half_sent.wait(30)
    assert early.poll() is None
    store.going_on.set()
    assert early.communicate(timeout=60) == ("runs\n", "")
    fetching.communicate(timeout=60)


def test_a_release_that_does_not_come_is_said(folder: Path) -> None:
    """The message says where to look."""
    process = start("run", "0", folder / "missing", "--", "-c", "print('runs')")
    output, complaint = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "")
    assert "did not come within 0 s: see the log of the task `fetch`." in complaint
