"""Tests how `make run` answers visitors while a part of it fails."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec
import psycopg
import pytest

from tests.support.documents.generate import document
from tests.support.processes.listing import processes_in
from tests.support.processes.local_run import LocalRun, local_run, small_document
from tests.support.sandbox.inspection import (
    Seen,
    check_reader,
    check_waiting_child,
    check_zygote,
    children_of,
    readers_of,
    seen,
)
from tests.support.servers import wait_until
from upschedule.operations.embedded.ports import free_port

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def data(scratch: Path) -> Path:
    return scratch / "local-faults"


@pytest.fixture(scope="module")
def run(data: Path) -> Iterator[LocalRun]:
    with local_run(data, free_port()) as running:
        running.await_words("ready: ")
        yield running


@pytest.fixture
def visitor(run: LocalRun) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=run.url, trust_env=False, timeout=40) as client:
        yield client


def _upload(visitor: httpx.Client, text: str) -> httpx.Response:
    return visitor.post("/api/v1/uploads", files={"file": ("a.pdf", small_document(text), "application/pdf")})


def test_people_are_answered_again_after_a_killed_database_is_back(
    run: LocalRun, data: Path, visitor: httpx.Client
) -> None:
    """PostgreSQL is killed. Pages that need no store are answered all the time (R3.5).

    `perf/recovery.py` measures the time.
    """
    job = _upload(visitor, "killed database").headers["location"]
    words = msgspec.json.decode((data / "postgres" / "passwords.json").read_bytes())
    address = f"postgresql://postgres:{words['postgres']}@{run.inside('PostgreSQL')}/upschedule"
    (server,) = [pid for pid, command in processes_in(data / "postgres").items() if " -D " in command]
    (style, *_) = re.findall(r'href="(/[^"]+\.css)"', visitor.get("/").text)
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: server not in processes_in(data / "postgres"))
    assert visitor.get(job).status_code in {200, 503}
    while not _connects(address):
        assert [visitor.get(path).status_code for path in ("/health/live", style)] == [200, 200]
    wait_until(lambda: visitor.get("/api/v1/jobs").status_code == 200, timeout_seconds=60)
    assert _upload(visitor, "after the database came back").status_code == 202


def _connects(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def test_reading_is_as_protected_as_the_decision_says(run: LocalRun, data: Path, visitor: httpx.Client) -> None:
    """The test reads the kernel's values of the zygotes and children of the workers (R8.2, R11.1)."""
    zygotes = [zygote for worker in _workers(data) for zygote in children_of(worker)]
    assert len(zygotes) == 2
    for zygote in zygotes:
        check_zygote(zygote)
        # Documents of earlier tests may still be read. Their readers end, and one child waits for the next document.
        wait_until(lambda zygote=zygote: len(children_of(zygote)) == 1)
        (waiting,) = children_of(zygote)
        check_waiting_child(waiting)
    check_reader(_reader_at_work(visitor, zygotes))


def _workers(data: Path) -> list[int]:
    both = {**processes_in(data / "worker-1"), **processes_in(data / "worker-2")}
    return [pid for pid, command in both.items() if command.endswith("upschedule work")]


def _reader_at_work(visitor: httpx.Client, zygotes: list[int]) -> Seen:
    """Uploads documents until a child is found that reads one."""
    for seed in range(8):
        files = {"file": ("a.pdf", document(seed).data, "application/pdf")}
        job = visitor.post("/api/v1/uploads", files=files).headers["location"]
        while visitor.get(job).json()["status"] in {"queued", "processing"}:
            for reader in (child for zygote in zygotes for child in readers_of(zygote)):
                with suppress(FileNotFoundError, ProcessLookupError):
                    return seen(reader)
    pytest.fail("no document was seen being read")


def test_each_process_has_its_own_names_and_passwords_and_no_others(run: LocalRun, data: Path) -> None:
    """The test reads the environments of the processes of `make run` (R8.2, decision 16)."""
    assert "ready: " in run.said()
    commands = {"api": "serve", "worker-1": "work", "worker-2": "work", "scheduler": "schedule"}
    found = {folder: _environment_of(data / folder, word) for folder, word in commands.items()}
    for folder, environment in found.items():
        process = folder.split("-")[0]
        assert f"//upschedule_{process}:" in environment["UPSCHEDULE_POSTGRES_URL"]
        assert f"//{process}:" in environment["UPSCHEDULE_REDIS_STATE_URL"]
        assert f"//{process}:" in environment["UPSCHEDULE_REDIS_CACHE_URL"]
        assert bool(environment.get("UPSCHEDULE_WEB_FEED_SECRET")) == (process == "api")
    secrets = [{found[folder][name] for folder in ("api", "worker-1", "scheduler")} for name in _SECRETS]
    assert [len(different) for different in secrets] == [3] * len(_SECRETS)


_SECRETS = (
    "UPSCHEDULE_POSTGRES_URL",
    "UPSCHEDULE_REDIS_STATE_URL",
    "UPSCHEDULE_REDIS_CACHE_URL",
    "UPSCHEDULE_OBJECTS_ACCESS_KEY",
    "UPSCHEDULE_OBJECTS_SECRET_KEY",
)


def _environment_of(directory: Path, word: str) -> dict[str, str]:
    pid = next(pid for pid, command in processes_in(directory).items() if command.endswith(f"upschedule {word}"))
    lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(line.split("=", 1) for line in lines if line)
