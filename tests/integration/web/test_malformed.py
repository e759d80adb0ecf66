"""Malformed requests get a 4xx problem. They cause no fault of the service and no stack trace."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from tests.integration.web.conftest import NewClient
from tests.support.processes.application import ApiProcess
from tests.support.servers import wait_until
from tests.support.web.requests import pdf_like, problem_code, upload
from upschedule.operations.embedded.ports import LOOPBACK

_JSON = {"Content-Type": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_UNKNOWN_CALENDAR = "/api/v1/calendars/00000000-0000-0000-0000-000000000000"


@pytest.fixture(autouse=True)
def no_fault(api: ApiProcess) -> Iterator[None]:
    """None of these tests may cause a fault of the service in the log."""

    def faults() -> int:
        return len(api.logged("request_failed")) + len(api.logged("answer_broken"))

    before = faults()
    yield
    assert faults() == before
    assert "Traceback" not in api.output.read_text()


def _sent(api: ApiProcess, head: str, body: bytes) -> bytes:
    """The answer to a request whose body ends too early."""
    with socket.create_connection((LOOPBACK, api.port), timeout=20) as wire:
        wire.sendall(f"{head}\r\nHost: {LOOPBACK}\r\n\r\n".encode() + body)
        wire.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionError):
            while chunk := wire.recv(65_536):
                answer += chunk
        return answer


@pytest.mark.parametrize("path", ["/api/v1/sessions", "/api/v1/accounts"])
@pytest.mark.parametrize(
    ("framing", "body"),
    [
        ("Transfer-Encoding: chunked", b"ZZ\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b'5\r\n{"ema\r\nQQ\r\n'),
        ("Transfer-Encoding: chunked", b'50\r\n{"ema'),
        ("Content-Length: 500", b'{"ema'),
    ],
)
def test_a_body_that_is_malformed_or_cut_off_is_an_invalid_request(
    api: ApiProcess, path: str, framing: str, body: bytes
) -> None:
    answer = _sent(api, f"POST {path} HTTP/1.1\r\nContent-Type: application/json\r\n{framing}", body)

    assert answer.startswith(b"HTTP/1.1 400")
    assert b"/problems/invalid-request" in answer


@pytest.mark.parametrize("path", ["/api/v1/uploads", "/documents"])
def test_malformed_chunks_of_an_upload_are_an_invalid_request(api: ApiProcess, path: str) -> None:
    kind = "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked"
    answer = _sent(api, f"POST {path} HTTP/1.1\r\n{kind}", b"5\r\n--b\r\n\r\nXX\r\n0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "content",
    [
        b'{"email": "a\xff@example.org", "password": "correct horse"}',
        b'{"email": "a@example.org", "password": "\xe2\x28\xa1orrect horse"}',
        b'{"em\xffail": "a@example.org", "password": "correct horse"}',
        b'{"email": "\xed\xa0\x80@example.org", "password": "correct horse"}',
        b'{"email": "\\ud800@example.org", "password": "correct horse"}',
        b'{"email": "a@example.org", "password": "correct horse\\udc00"}',
        b'{"email": "a\x00@example.org", "password": "correct horse"}',
        b'\xef\xbb\xbf{"email": "a@example.org", "password": "correct horse"}',
        '{"email": "a@example.org", "password": "correct horse"}'.encode("utf-16"),
        b'{"email": ' + b"9" * 6_000 + b', "password": "x"}',
        b'{"email": 1e999, "password": "x"}',
        b'{"email": NaN, "password": "x"}',
        b'{"email": "a@example.org", "password": "correct horse"} and more',
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b'{"email":' + b"[" * 900 + b"]" * 900 + b"}",
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/sessions", "/api/v1/accounts"])
def test_json_that_is_not_what_it_claims_is_an_invalid_request(client: httpx.Client, path: str, content: bytes) -> None:
    answer = client.post(path, content=content, headers=_JSON)

    assert (answer.status_code, problem_code(answer)) == (400, "invalid-request")


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/api/v1/accounts", {"email": "a\0@example.org", "password": "correct horse"}, "email"),
        ("POST", "/api/v1/sessions", {"email": "a\0@example.org", "password": "correct horse"}, "email"),
        ("POST", "/api/v1/sessions", {"email": "a@example.org", "password": "correct\0horse"}, "password"),
        ("POST", "/api/v1/calendars", {"jobs": [], "name": "my\0calendar"}, "name"),
        ("PATCH", _UNKNOWN_CALENDAR, {"name": "my\0calendar"}, "name"),
        ("PATCH", _UNKNOWN_CALENDAR, {"choices": {"hidden_events": ["\0"]}}, "choices.hidden_events"),
        ("PATCH", _UNKNOWN_CALENDAR, {"choices": {"groups": {"a\0": ["L1"]}}}, "choices.groups"),
        ("PATCH", _UNKNOWN_CALENDAR, {"choices": {"groups": {"COS 151": ["\0"]}}}, "choices.groups.COS 151"),
        (
            "PATCH",
            _UNKNOWN_CALENDAR,
            {"academic_year": {"holidays": [{"date": "2026-05-01", "name": "\0"}]}},
            "academic_year.holidays.name",
        ),
    ],
)
def test_text_with_a_null_character_is_refused_and_its_field_is_named(
    client: httpx.Client, method: str, path: str, body: object, field: str
) -> None:
    """PostgreSQL cannot store such text. The answer does not repeat it."""
    answer = client.request(method, path, json=body)

    assert (answer.status_code, problem_code(answer)) == (400, "invalid-request")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/jobs?cursor=%00",
        "/api/v1/jobs?cursor=%ff",
        "/api/v1/jobs?unknown=%c3%28",
        "/calendars/token.ics?module=COS%20151%00",
        "/calendars/token.ics?module=%ed%a0%80",
        "/?%00",
    ],
)
def test_a_query_that_is_not_text_is_an_invalid_request(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 400


@pytest.mark.parametrize("path", ["/problems/%00", "/calendars/%00.ics", "/static/%00/%00", "/api/v1/jobs/%00"])
def test_nothing_is_found_under_a_path_with_a_null_character(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/api/v1/academic-years/{'9' * 30}", 404),
        (f"/api/v1/academic-years/{'9' * 5_000}", 404),
        ("/api/v1/academic-years/-1", 404),
        (f"/api/v1/jobs?limit={'9' * 30}", 400),
        (f"/api/v1/jobs?limit={'9' * 5_000}", 400),
    ],
)
def test_a_number_beyond_every_bound_is_the_clients_error(client: httpx.Client, path: str, status: int) -> None:
    upload(client, pdf_like())

    assert client.get(path).status_code == status


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "multipart/form-data",
        "application/msgpack",
        "application/jsonx",
        "application/problem+json",
        ";;;",
    ],
)
@pytest.mark.parametrize(
    "method_and_path", ["POST /api/v1/accounts", "POST /api/v1/sessions", f"PATCH {_UNKNOWN_CALENDAR}"]
)
def test_an_operation_that_accepts_json_accepts_json_only(
    client: httpx.Client, method_and_path: str, content_type: str
) -> None:
    method, path = method_and_path.split()
    body = json.dumps({"email": "a@example.org", "password": "correct horse"}).encode()
    answer = client.request(method, path, content=body, headers={"Content-Type": content_type})

    assert (answer.status_code, problem_code(answer)) == (415, "unsupported-media-type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_is_recognised_however_its_type_is_written(client: httpx.Client, content_type: str) -> None:
    body = {"email": "unknown@example.org", "password": "correct horse"}
    answer = client.post("/api/v1/sessions", content=json.dumps(body), headers={"Content-Type": content_type})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"jobs": ["00000000-0000-0000-0000-000000000000"], "academic_year": "2026"}, "academic_year"),
        ({"jobs": []}, "jobs"),
        ({}, "jobs"),
        ({"jobs": ["00000000-0000-0000-0000-000000000000"], "visitor": 1}, "visitor"),
        (
            {"jobs": ["00000000-0000-0000-0000-000000000000"], "choices": {"reminders": {"lecture": [10**30]}}},
            "choices.reminders[...][0]",
        ),
    ],
)
def test_json_of_the_wrong_shape_names_the_field(client: httpx.Client, body: object, field: str) -> None:
    """Types are exact: a string of digits is not a number."""
    upload(client, pdf_like())
    answer = client.post("/api/v1/calendars", json=body)

    assert (answer.status_code, problem_code(answer)) == (400, "invalid-request")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"module=%00", _FORM, 400),
        (b"module=%ff", _FORM, 400),
        (b"module=\xff", _FORM, 400),
        (b"{}", _JSON, 415),
        (b"--b\r\n\r\n", {"Content-Type": "multipart/form-data; boundary=b"}, 415),
        (b"--c\r\nConten", {"Content-Type": "multipart/form-data"}, 415),
        (b"module=x", {}, 415),
        # Names of modules that the calendar does not have are ignored.
        (b"&".join([b"module=x"] * 7_000), _FORM, 303),
        (b"module=" + b"x" * 5_000, _FORM, 303),
    ],
)
def test_a_form_of_the_page_that_cannot_be_kept_changes_nothing(
    reading_api: ApiProcess, new_client: NewClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    """The page can still be shown afterwards, so nothing unreadable was stored."""
    client = new_client(reading_api)
    upload(client, pdf_like())
    answer = client.post("/calendar/choices", content=content, headers=headers)

    assert (answer.status_code, client.get("/").status_code) == (status, 200)


def test_more_recesses_than_a_year_can_have_are_refused(reading_api: ApiProcess, new_client: NewClient) -> None:
    client = new_client(reading_api)
    upload(client, pdf_like())
    terms = {"S1_start": "2026-02-01", "S1_end": "2026-06-01"}
    recesses = {f"recess{n}_{end}": "2026-03-01" for n in range(61) for end in ("start", "end")}
    answer = client.post("/calendar/dates", data=terms | recesses)

    assert (answer.status_code, client.get("/").status_code) == (400, 200)


@pytest.mark.parametrize("method", ["FOO", "TRACE", "PROPFIND", "PUT", "PATCH", "OPTIONS"])
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/v1/jobs", {"GET", "OPTIONS"}),
        ("/api/v1/calendars", {"GET", "POST", "OPTIONS"}),
        ("/api/v1/sessions/current", {"DELETE", "OPTIONS"}),
        ("/", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_refused_method_gets_the_list_of_allowed_methods(
    client: httpx.Client, method: str, path: str, allowed: set[str]
) -> None:
    """`OPTIONS` and every 405 name all allowed methods."""
    answer = client.request(method, path)

    assert answer.status_code == (204 if method == "OPTIONS" else 405)
    assert {name.strip() for name in answer.headers["allow"].split(",")} == allowed


def test_an_error_before_any_route_is_a_problem_as_well(api: ApiProcess) -> None:
    head = f"GET /api/v1/jobs HTTP/1.1\r\nHost: not a host\r\nConnection: close\r\nX-Note: {LOOPBACK}\r\n\r\n"
    with socket.create_connection((LOOPBACK, api.port), timeout=20) as wire:
        wire.sendall(head.encode())
        answer = b""
        while chunk := wire.recv(65_536):
            answer += chunk

    assert answer.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in answer


def test_a_client_that_leaves_an_open_stream_breaks_nothing(api: ApiProcess, client: httpx.Client) -> None:
    job = upload(client, pdf_like()).headers["location"]
    ended = len(_streams(api))
    with client.stream("GET", f"{job}/stream") as answer:
        assert next(answer.iter_bytes())

    wait_until(lambda: len(_streams(api)) > ended)


def _streams(api: ApiProcess) -> list[object]:
    return [line for line in api.logged("request") if str(line["route"]).endswith("/stream")]
