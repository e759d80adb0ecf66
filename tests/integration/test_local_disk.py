"""`make run` on a disk that fills up.

The test needs the right to mount a file system: root, or user namespaces.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

import httpx
import pytest

from tests.support.documents.generate import document
from tests.support.processes.local_run import LocalRun, local_run
from tests.support.servers import wait_until
from tests.support.web.requests import problem_code
from upschedule.operations.embedded.ports import free_port

# `make run` requires a gigabyte.
_DISK_BYTES = 1_100_000_000
# Mounts at the first argument and executes the rest. The mount ends with the processes that see it.
_MOUNT = """mount -t tmpfs -o size="$1",mode=755 tmpfs "$2" && shift 2 && exec "$@" """


@contextmanager
def run_on_a_small_disk(data: Path) -> Iterator[LocalRun]:
    """Runs in a separate mount namespace, whose file system is reachable through `run.process`."""
    data.mkdir(mode=0o755)
    rights = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    within = ["unshare", "--mount", *rights, "sh", "-c", _MOUNT, "sh", str(_DISK_BYTES), data]
    with local_run(data, free_port(), within=within) as run:
        yield run


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Fills the disk to the last byte while the block runs."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        free = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - 10_000_000)
        file.seek(0, os.SEEK_END)
        with pytest.raises(OSError, match="No space left"):
            _write_without_end(file)
    try:
        yield
    finally:
        ballast.unlink()


def _write_without_end(file: IO[bytes]) -> NoReturn:
    while True:
        file.write(bytes(4096))


@pytest.mark.timeout(300)
def test_a_full_disk_closes_neither_pages_nor_calendars(scratch: Path) -> None:
    """Requests that only read are answered.

    Uploads report the reason and later work again, and the command prints a message meanwhile.
    """
    data = scratch / "small-disk"
    with run_on_a_small_disk(data) as run:
        run.await_words("ready: ")
        disk = Path(f"/proc/{run.process.pid}/root") / data.relative_to("/")
        with httpx.Client(base_url=run.url, trust_env=False, timeout=40) as visitor:
            job, calendar, feed = _holdings(visitor)
            reading = ["/", "/health/live", job, "/api/v1/jobs", f"{job}/timetable", calendar, "/api/v1/capacity"]
            with filled(disk):
                run.await_words(f"The disk of {data} is full")
                # The server of the queue detects it at its first change.
                for seed in range(2, 6):
                    refused = _upload(visitor, seed)
                    assert (refused.status_code, problem_code(refused)) in {
                        (507, "storage-full"),
                        (503, "temporarily-unavailable"),
                    }
                    assert int(refused.headers["retry-after"]) >= 1
                    assert refused.json()["detail"]
                    # The feed has not been requested before, so it is built now.
                    assert {path: visitor.get(path).status_code for path in (*reading, feed)} == dict.fromkeys(
                        (*reading, feed), 200
                    )
                    assert httpx.get(run.url, trust_env=False).status_code == 200
                assert _upload(visitor, 6).status_code == 507
            run.await_words(f"The disk of {data} has room again")
            wait_until(lambda: _upload(visitor, 7).status_code == 202)
            assert visitor.get(feed).status_code == 200


def _upload(visitor: httpx.Client, seed: int) -> httpx.Response:
    files = {"file": ("a.pdf", document(seed, rows_max=8).data, "application/pdf")}
    return visitor.post("/api/v1/uploads", files=files)


def _holdings(visitor: httpx.Client) -> tuple[str, str, str]:
    """The addresses of a job that was read, and of a calendar and its feed."""
    job = _upload(visitor, 1).headers["location"]
    wait_until(lambda: visitor.get(job).json()["status"] == "completed", timeout_seconds=60)
    created = visitor.post("/api/v1/calendars", json={"jobs": [job.rpartition("/")[2]]})
    assert created.status_code == 201, created.text
    calendar = created.json()
    return job, f"/api/v1/calendars/{calendar['id']}", re.sub(r"^https?://[^/]+", "", calendar["feed_url"])
