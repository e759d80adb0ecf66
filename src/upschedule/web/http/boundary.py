"""The outermost layer: an id, the settings, security headers, metrics and a log line for every request (R6.3)."""

import http
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping

import structlog

from upschedule.metrics import REQUEST_SECONDS, REQUESTS, SPENT_SECONDS
from upschedule.services import LiveSettings
from upschedule.spent_time import counting, fields
from upschedule.web.http.body import Body, Message, Receive, Scope
from upschedule.web.http.exchange import Exchange, begin

Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = structlog.stdlib.get_logger("upschedule.web")

_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
#: An answer that sets one of these itself keeps its own. Strict-Transport-Security is left to Traefik, which ends TLS:
#: its own answers need it as well, and the stack's `hstsSeconds` decides. `make run` speaks HTTP: browsers ignore it.
_HEADERS = {
    b"content-security-policy": _POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=()",
    b"cache-control": b"no-store",
}
_UNMATCHED = "unmatched"


class Boundary:
    """Wraps the application; passes everything but HTTP through."""

    def __init__(self, application: Application, live: LiveSettings, *, instance: str = "") -> None:
        self._application = application
        self._live = live
        named = {b"x-upschedule-instance": instance.encode("latin-1")} if instance else {}
        self._headers = _HEADERS | named

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        # First, so that everything that a release does with a request is part of its time.
        began, status = time.perf_counter(), 0
        parts: Mapping[str, float] = {}
        body, exchange = Body(scope, receive), begin(scope, str(uuid.uuid4()), self._live.current)

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._dressed(message["headers"], exchange)
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        try:
            with counting() as parts:
                await self._application(scope, body.receive, send_dressed)
        except Exception:
            # The answer has begun: the server closes the connection, so that no client takes a partial answer for a
            # complete one.
            _log.exception("answer_broken", **exchange.ids())
            raise
        finally:
            _record(scope, exchange, status, time.perf_counter() - began, parts)
            structlog.contextvars.clear_contextvars()
        await body.discard()

    def _dressed(self, headers: list[tuple[bytes, bytes]], exchange: Exchange) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in headers}
        missing = [(name, value) for name, value in self._headers.items() if name not in present]
        return [*headers, *missing, *exchange.headers, (b"x-request-id", exchange.request_id.encode())]


def _record(scope: Scope, exchange: Exchange, status: int, seconds: float, parts: Mapping[str, float]) -> None:
    route = scope.get("path_template") or _UNMATCHED
    method = scope["method"] if scope["method"] in {"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"} else "other"
    fault = status >= http.HTTPStatus.INTERNAL_SERVER_ERROR and not exchange.back_pressure
    REQUESTS.labels(method, route, str(status), "yes" if fault else "no").inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)
    for part, spent_seconds in parts.items():
        SPENT_SECONDS.labels(part).observe(spent_seconds)
    _log.info(
        "request",
        method=method,
        route=route,
        status=status,
        duration_ms=round(seconds * 1000, 1),
        **fields(parts),
        **exchange.ids(),
    )
