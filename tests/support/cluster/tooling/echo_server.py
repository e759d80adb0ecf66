"""A small real server behind Traefik, in Consul's catalog with the tags that the API's job has."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import consul  # pyright: ignore[reportMissingTypeStubs]

from tests.support.cluster.tooling.consul_agent import ProtectedConsul
from upschedule.deploy.consul import consul_client
from upschedule.deploy.http import BRIEF
from upschedule.operations.embedded.ports import LOOPBACK, free_port

TAGS = (
    "traefik.enable=true",
    "traefik.http.routers.api.priority=10",
    "traefik.http.routers.api.entrypoints=websecure",
    "traefik.http.routers.api.tls=true",
    "traefik.http.routers.api.middlewares=public@file",
)


class Echo(ThreadingHTTPServer):
    """Answers with what it was asked; `asked` counts by path. `hold` lets a streamed answer go on once it is set."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__((LOOPBACK, port), Handler)
        self.asked: list[str] = []
        self.hold = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """`/silent` hangs up without an answer, `/stream` pauses in the middle of one, `/large` refuses before the body."""

    protocol_version = "HTTP/1.1"

    @property
    def echo(self) -> Echo:
        assert isinstance(self.server, Echo)
        return self.server

    def do_GET(self) -> None:
        if self.path != "/health":
            self.echo.asked.append(self.path)
        if self.path == "/silent":
            self.close_connection = True
        elif self.path == "/stream":
            self._stream()
        elif self.path == "/large":
            self.close_connection = True
            self._answer(413, b"too large")
        else:
            self._answer(200, json.dumps({"path": self.path, "headers": list(self.headers.items())}).encode())

    def do_POST(self) -> None:
        if self.path != "/large":
            self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.wfile.flush()
        self.echo.hold.wait(20)
        self.wfile.write(b"data: last\n\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the name is the base class's
        """Nothing."""


@contextmanager
def running_echo(consul: ProtectedConsul, rule: str) -> Iterator[Echo]:
    """Registered in Consul while the block runs."""
    agent = registering(consul)
    with Echo(free_port()) as server:
        thread = threading.Thread(target=server.serve_forever, name="echo")
        thread.start()
        try:
            register(agent, server.server_port, rule)
            yield server
        finally:
            assert agent.service.deregister("echo")
            server.shutdown()
            thread.join()


def registering(consul: ProtectedConsul) -> Any:
    """Consul's agent, with the token with which Nomad registers services."""
    return consul_client(f"http://{consul.address}", consul.tokens["nomad"], retries=BRIEF).agent


def register(agent: Any, port: int, rule: str, *, id_: str = "echo", tags: Sequence[str] = ()) -> None:
    """With the API's own tags unless `tags` are given."""
    assert agent.service.register(
        "api",
        service_id=id_,
        address=LOOPBACK,
        port=port,
        tags=list(tags) or [*TAGS, f"traefik.http.routers.api.rule={rule}"],
        check=consul.Check.http(f"http://{LOOPBACK}:{port}/health", "1s", timeout="1s"),
    )
