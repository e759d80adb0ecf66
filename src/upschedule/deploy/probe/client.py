"""An HTTP client behind Traefik that keeps cookies and records each request; a header sends it to the canary."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import Any, TypeVar

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from upschedule.deploy.clock import Clock
from upschedule.deploy.errors import DeployError
from upschedule.deploy.http import Endpoint, reason_of

T = TypeVar("T")
CANARY_HEADER = {"X-Upschedule-Canary": "yes"}
#: The name of uploaded files.
FILE_NAME = "golden.pdf"
#: Response header with the id of the allocation that answered.
INSTANCE_HEADER = "X-Upschedule-Instance"
_REFUSALS_MAX = 3
_REFUSAL_SECONDS_MAX = 20.0
# Far above the longest answer to a student; it bounds the cost of a server that sends for ever.
BODY_BYTES_MAX = 8 * 1024 * 1024
ANSWER_SECONDS_MAX = 30.0
_CHUNK_BYTES = 65_536
_BUSY = frozenset({429, 503})
_ROUTE_EVERY_SECONDS = 0.5


class ProbeFailed(DeployError):
    """The service gave an answer that a visitor must not get."""


class _AnswerTooLong(HTTPError):
    """The answer was longer, or took longer, than any answer to a student."""


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The measurement of one request. `status` 0 means no answer; `instance` is empty when the answer names none."""

    request: str
    status: int
    seconds: float
    instance: str = ""
    detail: str = ""

    @property
    def is_error(self) -> bool:
        return self.status == 0 or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(kw_only=True)
class ProbeResponse:
    """An answer together with its record."""

    record: RequestRecord
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    def json(self, kind: type[T]) -> T:
        """The body as JSON. Raises ProbeFailed for other content."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.MsgspecError as error:
            raise ProbeFailed(f"{self.record.request} answers something else: {error}") from error


class ProbeClient:
    """A visitor without an account. `records` has every request in order.

    An answer that is not complete after `answer_seconds` is treated as missing.
    """

    def __init__(self, site: Endpoint, clock: Clock, *, answer_seconds: float = ANSWER_SECONDS_MAX) -> None:
        self.records: list[RequestRecord] = []
        self._site = site
        self._clock = clock
        self._answer_seconds = answer_seconds
        self._pool = site.pool()
        self._cookies: dict[str, str] = {}

    def request(self, method: str, path: str, *, body: Any = None, file: bytes | None = None) -> ProbeResponse:
        """Repeats a few times a request that a limit refuses, after the time that Retry-After names."""
        answer = self._once(method, path, body, file)
        for _ in range(_REFUSALS_MAX):
            wait = answer.headers.get("Retry-After", "")
            if answer.record.status not in _BUSY or not wait.isdigit():
                break
            self._clock.sleep(min(float(wait), _REFUSAL_SECONDS_MAX))
            answer = self._once(method, path, body, file)
        return answer

    def expect(
        self, method: str, path: str, *statuses: int, body: Any = None, file: bytes | None = None
    ) -> ProbeResponse:
        """Raises ProbeFailed for another status."""
        answer = self.request(method, path, body=body, file=file)
        record = answer.record
        if record.status not in statuses:
            raise ProbeFailed(f"{record.request} answers {record.status or 'nothing'}: {record.detail}")
        return answer

    def _once(self, method: str, path: str, body: Any, file: bytes | None) -> ProbeResponse:
        request, began = f"{method} {path}", time.perf_counter()
        try:
            answer = self._send(method, path, body, file)
            content = _read(answer, until=began + self._answer_seconds)
        except HTTPError as error:
            record = RequestRecord(
                request=request, status=0, seconds=time.perf_counter() - began, detail=reason_of(error)[:300]
            )
            self.records.append(record)
            return ProbeResponse(record=record)
        record = RequestRecord(
            request=request,
            status=answer.status,
            seconds=time.perf_counter() - began,
            instance=answer.headers.get(INSTANCE_HEADER, ""),
            detail=content[:300].decode(errors="replace") if answer.status >= HTTPStatus.BAD_REQUEST else "",
        )
        self.records.append(record)
        self._store_cookies(answer.headers.getlist("Set-Cookie"))
        return ProbeResponse(record=record, headers=answer.headers, body=content)

    def _send(self, method: str, path: str, body: Any, file: bytes | None) -> urllib3.BaseHTTPResponse:
        headers = {
            **self._site.headers,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
        }
        url = f"{self._site.address.rstrip('/')}{path}"
        if file is not None:
            fields = {"file": (FILE_NAME, file, "application/pdf")}
            return self._pool.request(method, url, fields=fields, headers=headers, retries=False, preload_content=False)
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        return self._pool.request(method, url, body=content, headers=headers, retries=False, preload_content=False)

    def _store_cookies(self, lines: list[str]) -> None:
        for line in lines:
            for name, morsel in SimpleCookie(line).items():
                self._cookies[name] = morsel.value


def _read(answer: urllib3.BaseHTTPResponse, *, until: float) -> bytes:
    """The whole body. Raises HTTPError, and closes the connection, if it is too long or not there in time."""
    content = bytearray()
    for chunk in answer.stream(_CHUNK_BYTES):
        content += chunk
        if len(content) > BODY_BYTES_MAX or time.perf_counter() > until:
            answer.close()
            raise _AnswerTooLong(f"the answer was not complete after {len(content)} bytes")
    answer.release_conn()
    return bytes(content)


def await_answer_of(instances: Collection[str], site: Endpoint, clock: Clock, *, path: str, seconds: float) -> bool:
    """Whether one of `instances` answers within `seconds`: a proxy learns of an instance some time after Consul has."""
    client = ProbeClient(site, clock)

    def answered() -> bool:
        return client.request("GET", path).record.instance in instances

    return clock.wait_until(answered, seconds=seconds, every_seconds=_ROUTE_EVERY_SECONDS)
