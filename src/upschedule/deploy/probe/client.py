"""One visitor behind Traefik, who by a header is sent to the canary."""

import time
from collections.abc import Mapping
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
CANARY = {"X-Upschedule-Canary": "yes"}
#: The answer's, with Nomad's id of the allocation.
INSTANCE = "X-Upschedule-Instance"
_REFUSALS_MAX = 3
_REFUSAL_SECONDS_MAX = 20.0
_BUSY = frozenset({429, 503})


class VisitFailed(DeployError):
    """An answer that a person would not have wanted."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `status` 0: no answer. `instance` is empty where the answer does not say."""

    request: str
    status: int
    seconds: float
    instance: str = ""
    detail: str = ""

    @property
    def is_error(self) -> bool:
        return self.status == 0 or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(kw_only=True)
class Answer:
    """`seen` is what is measured of it."""

    seen: Seen
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    def json(self, kind: type[T]) -> T:
        """Raises VisitFailed for anything else."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.MsgspecError as error:
            raise VisitFailed(f"{self.seen.request} answers something else: {error}") from error


class Visitor:
    """Without an account; keeps the cookie. Everything asked for stays in `seen`."""

    def __init__(self, site: Endpoint, clock: Clock) -> None:
        self.seen: list[Seen] = []
        self._site = site
        self._clock = clock
        self._pool = site.pool()
        self._cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, *, body: Any = None, file: bytes | None = None) -> Answer:
        """Comes again when a limit says when, a few times."""
        answer = self._once(method, path, body, file)
        for _ in range(_REFUSALS_MAX):
            wait = answer.headers.get("Retry-After", "")
            if answer.seen.status not in _BUSY or not wait.isdigit():
                break
            self._clock.pause(min(float(wait), _REFUSAL_SECONDS_MAX))
            answer = self._once(method, path, body, file)
        return answer

    def expect(self, method: str, path: str, *statuses: int, body: Any = None, file: bytes | None = None) -> Answer:
        """Raises VisitFailed for another status."""
        answer = self.ask(method, path, body=body, file=file)
        if answer.seen.status not in statuses:
            raise VisitFailed(f"{answer.seen.request} answers {answer.seen.status or 'nothing'}: {answer.seen.detail}")
        return answer

    def _once(self, method: str, path: str, body: Any, file: bytes | None) -> Answer:
        request, began = f"{method} {path}", time.perf_counter()
        try:
            answer = self._send(method, path, body, file)
        except HTTPError as error:
            seen = Seen(request=request, status=0, seconds=time.perf_counter() - began, detail=reason_of(error)[:300])
            self.seen.append(seen)
            return Answer(seen=seen)
        seen = Seen(
            request=request,
            status=answer.status,
            seconds=time.perf_counter() - began,
            instance=answer.headers.get(INSTANCE, ""),
            detail=answer.data[:300].decode(errors="replace") if answer.status >= HTTPStatus.BAD_REQUEST else "",
        )
        self.seen.append(seen)
        self._remember(answer.headers.getlist("Set-Cookie"))
        return Answer(seen=seen, headers=answer.headers, body=answer.data)

    def _send(self, method: str, path: str, body: Any, file: bytes | None) -> urllib3.BaseHTTPResponse:
        headers = {
            **self._site.headers,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
        }
        url = f"{self._site.address.rstrip('/')}{path}"
        if file is not None:
            fields = {"file": ("golden.pdf", file, "application/pdf")}
            return self._pool.request(method, url, fields=fields, headers=headers, retries=False)
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        return self._pool.request(method, url, body=content, headers=headers, retries=False)

    def _remember(self, lines: list[str]) -> None:
        for line in lines:
            for name, morsel in SimpleCookie(line).items():
                self._cookies[name] = morsel.value
