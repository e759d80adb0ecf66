"""`upschedule local`, which is what `make run` executes: starting, stopping and restarting the service."""

import os
import re
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.support.processes.listing import processes_in
from tests.support.processes.local_run import LocalRun, local_run, small_document
from tests.support.servers import wait_until
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.local.preconditions import DiskTooFull, check_port_and_disk


@pytest.fixture
def data(scratch: Path, request: pytest.FixtureRequest) -> Path:
    return scratch / request.node.name


def _change_from(visitor: httpx.Client, origin: str, *, host: str = LOOPBACK) -> int:
    """The status of a change that a page of this origin requests, for a visitor who is not signed in."""
    with httpx.Client(base_url=visitor.base_url, trust_env=False) as browser:
        return browser.delete("/api/v1/sessions/current", headers={"Origin": origin, "Host": host}).status_code


@pytest.mark.timeout(300)
def test_it_serves_stops_cleanly_and_starts_again_with_its_data(data: Path) -> None:
    """A visitor's job still exists after Ctrl-C and a new start. No process remains in between."""
    port = free_port()
    with local_run(data, port) as first, httpx.Client(base_url=first.url, trust_env=False) as visitor:
        first.await_words("ready: ")
        uploaded = visitor.post("/api/v1/uploads", files={"file": ("a.pdf", small_document(), "application/pdf")})
        assert uploaded.status_code == 202, uploaded.text
        assert [visitor.get(path).status_code for path in ("/", "/metrics", "/health/ready")] == [200, 404, 404]
        assert _change_from(visitor, f"http://{LOOPBACK}:{port}") == 204
        assert _change_from(visitor, f"http://localhost:{port}") == 204
        assert _change_from(visitor, "http://evil.example", host="evil.example") == 403
        inside = re.findall(r"^  .*? (http://\S+/(?:metrics|health/ready))$", first.said(), re.MULTILINE)
        assert len(inside) == 9
        assert {httpx.get(url, trust_env=False).status_code for url in inside} == {200}
        first.process.send_signal(signal.SIGINT)
        assert first.ended_with() == 0
        wait_until(lambda: processes_in(data) == {}, timeout_seconds=5)
        assert re.findall(r"^ready: .*$", first.said(), re.MULTILINE) == [f"ready: {first.url}"]
        with local_run(data, port) as second:
            second.await_words("ready: ")
            again = visitor.get(f"/api/v1/jobs/{uploaded.json()['id']}")
            assert (again.status_code, again.json()["file_name"]) == (200, "a.pdf")
            second.process.send_signal(signal.SIGTERM)
            assert second.ended_with() == 0


@pytest.mark.timeout(300)
def test_nothing_is_left_when_it_is_killed_and_a_dead_worker_comes_back(data: Path) -> None:
    """A worker that was killed is restarted with a message.

    Kill -9 of the command ends all processes, and a second start works.
    """
    port = free_port()
    with local_run(data, port) as run:
        run.await_words("ready: ")
        worker = next(
            pid for pid, words in processes_in(data / "worker-1").items() if words.endswith("upschedule work")
        )
        os.kill(worker, signal.SIGKILL)
        run.await_words("worker 1 was started again")
        run.process.kill()
        run.process.wait()
        wait_until(lambda: processes_in(data) == {}, timeout_seconds=60)
    with local_run(data, port) as run:
        run.await_words("ready: ")


def test_a_second_run_on_the_same_data_is_refused_and_the_first_can_be_stopped_while_it_starts(data: Path) -> None:
    """The message says what to do. The first run ends without remaining files or processes."""
    with local_run(data, free_port()) as first:
        first.await_words("Starting PostgreSQL")
        second = LocalRun(data, free_port(), output=data.with_name("second.out"))
        assert second.ended_with() == 1
        assert f"is in use by a running `make run` (process {first.process.pid})" in second.said()
        first.process.send_signal(signal.SIGINT)
        assert first.ended_with() == 0
        wait_until(lambda: processes_in(data) == {}, timeout_seconds=5)
        assert "ready:" not in first.said()


def test_a_taken_port_is_refused_before_anything_starts(data: Path) -> None:
    """The message names another port."""
    port = free_port()
    with socket.create_server((LOOPBACK, port)), local_run(data, port) as run:
        assert run.ended_with() == 1
        assert f"Port {port} is taken" in run.said()
        assert not (data / "postgres").exists()


def test_a_disk_without_room_is_refused(scratch: Path) -> None:
    """The message names the free space."""
    with pytest.raises(DiskTooFull, match=r"Only \d+\.\d GB are free"):
        check_port_and_disk(scratch, port=free_port(), free_bytes_min=10**18)
