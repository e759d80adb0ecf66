"""Uploads with real HTTP (R11.3)."""

import socket
from contextlib import suppress
from http.client import HTTPResponse
from typing import Any

import httpx
import pytest

from tests.support.processes.application import ApiProcess
from tests.support.servers import wait_until
from tests.support.web.requests import pdf_like, problem_code, upload
from upschedule.operations.embedded.ports import LOOPBACK

_MEBIBYTE = 1024 * 1024


def _conversation(api: ApiProcess, request: bytes, *, more: bytes = b"", seconds: float = 20.0) -> bytes:
    """The answer of the server to these bytes, sent by hand. The server may close while `more` is sent."""
    with socket.create_connection((LOOPBACK, api.port), timeout=seconds) as wire:
        wire.sendall(request)
        answer = b""
        with suppress(OSError):  # The server may close before it has read everything.
            wire.sendall(more)
        while chunk := wire.recv(65_536):
            answer += chunk
            if b"problem+json" in answer and b'"instance"' in answer:
                break
        return answer


def _head(*headers: str, path: str = "/api/v1/uploads") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: here", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode()


def _form(content: bytes, *, name: str = "file") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="x.pdf"'
    return f"--b\r\n{disposition}\r\n\r\n".encode() + content + b"\r\n--b--\r\n"


def test_an_upload_becomes_a_job_that_its_owner_can_see(client: httpx.Client) -> None:
    """The answer is 202 with the address of the job, and a cookie that scripts cannot read (R5.1)."""
    answer = upload(client, pdf_like(), name="my schedule.pdf")

    assert answer.status_code == 202
    job = answer.json()
    assert job["status"] == "queued"
    assert job["position"] >= 1
    assert job["file_name"] == "my schedule.pdf"
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Path=/"))
    assert "Secure" not in cookie
    status = client.get(answer.headers["location"])
    assert status.status_code == 200
    assert status.json()["id"] == job["id"]


def test_the_same_bytes_again_are_the_same_job(client: httpx.Client) -> None:
    content = pdf_like()
    first, second = upload(client, content), upload(client, content, name="again.pdf")

    assert second.status_code == 202
    assert second.json()["id"] == first.json()["id"]
    assert "set-cookie" not in second.headers


def test_the_same_bytes_of_another_person_are_another_job(client: httpx.Client, api: ApiProcess) -> None:
    content = pdf_like()
    with httpx.Client(base_url=api.url) as other:
        assert upload(client, content).json()["id"] != upload(other, content).json()["id"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "pdf-empty-file"),
        (b"GIF89a not a schedule", 400, "pdf-not-a-pdf"),
        (pdf_like(size_bytes=10 * _MEBIBYTE + 1), 413, "pdf-too-large"),
    ],
)
def test_a_file_that_cannot_be_a_schedule_is_refused_at_once(
    client: httpx.Client, content: bytes, status: int, code: str
) -> None:
    """No visitor is created, and no cookie is set (R11.3)."""
    answer = upload(client, content)

    assert (answer.status_code, problem_code(answer)) == (status, code)
    assert "set-cookie" not in answer.headers


def test_a_file_of_exactly_ten_megabytes_is_taken(client: httpx.Client) -> None:
    """R11.3 sets the limit to ten megabytes."""
    assert upload(client, pdf_like(size_bytes=10 * _MEBIBYTE)).status_code == 202


def test_a_declared_length_over_the_limit_is_refused_before_the_body_is_sent(api: ApiProcess) -> None:
    """The answer comes although no byte of the body is sent (R11.3)."""
    answer = _conversation(
        api, _head("Content-Type: multipart/form-data; boundary=b", f"Content-Length: {100 * _MEBIBYTE}")
    )

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"/problems/pdf-too-large" in answer


def test_a_chunked_body_over_the_limit_is_stopped_on_its_way(api: ApiProcess) -> None:
    """No length is declared. The server stops reading soon after the limit (R11.3)."""
    piece = b"100000\r\n" + b"x" * _MEBIBYTE + b"\r\n"
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.pdf"\r\n\r\n'
    chunked = b"%x\r\n%b\r\n" % (len(start), start)
    answer = _conversation(
        api,
        _head("Content-Type: multipart/form-data; boundary=b", "Transfer-Encoding: chunked") + chunked,
        more=piece * 12,
    )

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"/problems/pdf-too-large" in answer


def test_a_client_that_sends_all_of_a_file_that_is_too_large_still_hears_why(api: ApiProcess) -> None:
    """The connection serves the next request, since a proxy's connections are shared by many visitors (R11.3)."""
    body = _form(pdf_like(size_bytes=11 * _MEBIBYTE))
    head = f"POST /api/v1/uploads HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection((LOOPBACK, api.port), timeout=20) as wire:
        for _ in range(2):
            wire.sendall(f"{head}Content-Type: multipart/form-data; boundary=b\r\n\r\n".encode() + body)
            answer = HTTPResponse(wire)
            answer.begin()
            assert (answer.status, b"/problems/pdf-too-large" in answer.read()) == (413, True)


def test_a_form_without_its_end_is_refused(api: ApiProcess) -> None:
    """A truncated upload must not become a schedule with missing classes."""
    body = _form(pdf_like())[: -len(b"\r\n--b--\r\n")]
    answer = _conversation(
        api, _head("Content-Type: multipart/form-data; boundary=b", f"Content-Length: {len(body)}") + body
    )

    assert answer.startswith(b"HTTP/1.1 400")
    assert b"/problems/invalid-request" in answer


def test_a_client_that_hangs_up_half_way_leaves_nothing_behind(api: ApiProcess, client: httpx.Client) -> None:
    """No job exists, the log has no fault of the service, and the next upload works."""
    refused = len(_answered(api, 400))
    with socket.create_connection((LOOPBACK, api.port)) as wire:
        wire.sendall(
            _head("Content-Type: multipart/form-data; boundary=b", "Content-Length: 90000") + _form(b"%PDF-1.7")
        )

    wait_until(lambda: len(_answered(api, 400)) == refused + 1)
    assert "account_id" not in _answered(api, 400)[-1]
    assert upload(client, pdf_like()).status_code == 202


def _answered(api: ApiProcess, status: int) -> list[dict[str, Any]]:
    return [line for line in api.logged("request") if line["status"] == status and line["method"] == "POST"]


@pytest.mark.parametrize("content_type", ["application/pdf", "application/json", "text/plain", ""])
def test_a_body_that_is_no_form_is_refused(client: httpx.Client, content_type: str) -> None:
    answer = client.post("/api/v1/uploads", content=pdf_like(), headers={"Content-Type": content_type})

    assert (answer.status_code, problem_code(answer)) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "multipart/form-data"}, {"Content-Type": f"multipart/form-data; boundary={'b' * 300}"}]
)
def test_a_form_without_a_usable_boundary_is_refused(client: httpx.Client, headers: dict[str, str]) -> None:
    answer = client.post("/api/v1/uploads", content=_form(pdf_like()), headers=headers)

    assert (answer.status_code, problem_code(answer)) == (400, "invalid-request")


def test_a_form_without_the_field_is_refused(client: httpx.Client) -> None:
    answer = client.post("/api/v1/uploads", files={"document": ("x.pdf", pdf_like(), "application/pdf")})

    assert (answer.status_code, problem_code(answer)) == (400, "invalid-request")
    assert '"file"' in answer.json()["detail"]


def test_two_files_in_one_form_are_refused(client: httpx.Client) -> None:
    files = [("file", (f"{n}.pdf", pdf_like(), "application/pdf")) for n in range(2)]
    answer = client.post("/api/v1/uploads", files=files)

    assert (answer.status_code, problem_code(answer)) == (400, "invalid-request")


def test_other_fields_beside_the_file_are_read_past(client: httpx.Client) -> None:
    answer = client.post("/api/v1/uploads", data={"note": "x"}, files={"file": ("a.pdf", pdf_like())})

    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\Users\\me\\week.pdf", "week.pdf"),
        ("ex\u202eam\x07.pdf", "exam.pdf"),
        ("", "schedule.pdf"),
        ("..", "schedule.pdf"),
        ("<script>alert(1)<.pdf", "<script>alert(1)<.pdf"),
        ("Rooster é 日本.pdf", "Rooster é 日本.pdf"),
        ("a" * 500 + ".pdf", "a" * 116 + ".pdf"),
    ],
)
def test_a_file_name_is_kept_as_a_harmless_bounded_name(client: httpx.Client, sent: str, expected: str) -> None:
    """The name is returned as JSON, never as HTML."""
    quoted = sent.replace('"', "%22")
    body = (
        f'--b\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n\r\n'.encode()
        + pdf_like()
        + b"\r\n--b--\r\n"
    )
    answer = client.post("/api/v1/uploads", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})

    assert answer.status_code == 202
    assert answer.json()["file_name"] == expected
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
