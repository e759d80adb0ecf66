"""A small HTTP server for health and metrics of processes without pages (R6.1, R6.2); for internal use only."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from wsgiref.simple_server import WSGIRequestHandler, make_server

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.exposition import ThreadingWSGIServer

from upschedule.stores.readiness import DependencyStatus, is_ready

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

T = TypeVar("T")

_RESPONSE_SECONDS_MAX = 4.8

_Response = tuple[HTTPStatus, str, bytes]


class Probes(msgspec.Struct, frozen=True, kw_only=True):
    """The calls behind the pages. They run in the event loop, so that a loop that hangs does not look alive."""

    readiness: Callable[[], Awaitable[list[DependencyStatus]]]
    measure: Callable[[], Awaitable[None]]


class _Readiness(msgspec.Struct, frozen=True, kw_only=True):
    ready: bool
    dependencies: list[DependencyStatus]


class _Pages:
    """The WSGI application; it runs in the threads of the server."""

    def __init__(self, probes: Probes, loop: asyncio.AbstractEventLoop, more: "Mapping[str, WSGIApplication]") -> None:
        self._probes = probes
        self._more = more
        self._loop = loop
        self._pages: dict[str, Callable[[], _Response]] = {
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/metrics": self._metrics,
        }

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        for prefix, application in self._more.items():
            if path.startswith(prefix):
                return application(environ, start_response)
        page = self._pages.get(path, _unknown)
        try:
            status, content_type, body = page()
        except TimeoutError:
            status, content_type, body = HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"no answer in time\n"
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    def _live(self) -> _Response:
        self._in_loop(asyncio.sleep(0))
        return HTTPStatus.OK, "application/json", b'{"alive":true}'

    def _ready(self) -> _Response:
        dependencies = self._in_loop(self._dependencies())
        ready = is_ready(dependencies)
        body = msgspec.json.encode(_Readiness(ready=ready, dependencies=dependencies))
        return HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, "application/json", body

    def _metrics(self) -> _Response:
        self._in_loop(self._measure())
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest()

    async def _measure(self) -> None:
        await self._probes.measure()

    async def _dependencies(self) -> list[DependencyStatus]:
        return await self._probes.readiness()

    def _in_loop(self, call: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(_RESPONSE_SECONDS_MAX)


class _Handler(WSGIRequestHandler):
    timeout = _RESPONSE_SECONDS_MAX

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Logs nothing: probes come every few seconds."""


@contextmanager
def serving(
    host: str, port: int, probes: Probes, more: "Mapping[str, WSGIApplication] | None" = None
) -> Generator[int]:
    """Serves until the block is left, and yields the port; 0 picks a free one. Raises OSError if it is in use.

    `more` are applications by the beginning of the paths that they answer, in threads of the server.
    """
    pages = _Pages(probes, asyncio.get_running_loop(), more or {})
    server = make_server(host, port, pages, ThreadingWSGIServer, _Handler)
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _unknown() -> _Response:
    return HTTPStatus.NOT_FOUND, "text/plain", b"not found\n"
