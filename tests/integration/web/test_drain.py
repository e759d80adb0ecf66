"""Stopping an instance while visitors use it (R12.2)."""

import os
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.integration.web.conftest import NewClient, StartApi
from tests.support.processes.application import ApiProcess
from tests.support.servers import wait_until
from tests.support.web.requests import pdf_like, upload
from upschedule.operations.embedded.ports import LOOPBACK

_GRACE = {"UPSCHEDULE_WEB_DRAIN_GRACE_SECONDS": "2"}


def _readiness(api: ApiProcess) -> str:
    return str(httpx.get(f"{api.url}/health/ready").json()["status"])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_stopping_fails_readiness_ends_streams_and_finishes_what_is_under_way(
    start_api: StartApi, new_client: NewClient
) -> None:
    """Readiness fails while the port is still open.

    A stream ends, an upload in progress is accepted, and the process exits with 0.
    """
    api = start_api(**_GRACE)
    client = new_client(api)
    job = upload(client, pdf_like()).headers["location"]
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.pdf"\r\n\r\n' + pdf_like() + b"\r\n--b--\r\n"
    )
    head = (
        f"POST /api/v1/uploads HTTP/1.1\r\nHost: here\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with (
        socket.create_connection((LOOPBACK, api.port), timeout=20) as slow,
        client.stream("GET", f"{job}/stream") as stream,
    ):
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("data:"))
        slow.sendall(head.encode() + body[:40])
        api.terminate()
        wait_until(lambda: _readiness(api) == "draining")
        leaving = httpx.get(f"{api.url}/health/ready/instance")
        assert (leaving.status_code, leaving.json()) == (503, {"status": "draining"})
        assert httpx.get(f"{api.url}/api/v1/capacity").status_code == 200
        assert not [line for line in lines if line.startswith("data:")]
        wait_until(lambda: not _listens(api))
        slow.sendall(body[40:])
        assert slow.recv(65_536).startswith(b"HTTP/1.1 202")

    assert api.process.wait(20) == 0


def _listens(api: ApiProcess) -> bool:
    try:
        with socket.create_connection((LOOPBACK, api.port), timeout=1):
            return True
    except OSError:
        return False


def test_a_client_that_never_finishes_cannot_hold_the_process(start_api: StartApi) -> None:
    """Requests in progress have a time limit."""
    api = start_api(UPSCHEDULE_WEB_DRAIN_SECONDS="1")
    with socket.create_connection((LOOPBACK, api.port)) as slow:
        slow.sendall(
            b"POST /api/v1/uploads HTTP/1.1\r\nHost: here\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            b"Content-Length: 5000\r\n\r\n--b"
        )
        api.terminate()
        api.process.wait(100)


@pytest.mark.parametrize(("killed_by", "code"), [(signal.SIGKILL, 137), (signal.SIGSEGV, 139)])
def test_the_death_of_the_server_s_worker_ends_the_process_with_its_exit_code(
    start_api: StartApi, killed_by: signal.Signals, code: int
) -> None:
    """Nomad then counts a crash or an out-of-memory kill, reports it and restarts the task (R10.3)."""
    api = start_api()
    (worker,) = _children(api.process.pid)
    os.kill(worker, killed_by)

    assert api.process.wait(20) == code
    assert f"The server's worker process ended with exit code {code}." in api.output.read_text()
