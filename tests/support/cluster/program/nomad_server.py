"""A server that says over HTTP what Nomad would: what the real one in `tests/cluster/tooling` gives rarely."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOOPBACK = "127.0.0.1"


#: What violates no policy. `tests/cluster/tooling` reads the real job files.
WELL_FORMED: dict[str, Any] = {
    "ID": "job",
    "TaskGroups": [
        {
            "Name": "group",
            "Volumes": {"data": {"Type": "host", "Source": "data", "ReadOnly": False}},
            "Tasks": [
                {
                    "Name": "task",
                    "User": "upschedule-task",
                    "Resources": {"CPU": 100, "MemoryMB": 64},
                    "VolumeMounts": [{"Volume": "data", "ReadOnly": False}],
                }
            ],
        }
    ],
}


@dataclass(kw_only=True)
class Asked:
    """Path with its query, and the token that came with it."""

    path: str
    token: str


@dataclass(kw_only=True)
class Nomad:
    """`answers` are whole answers to questions by path, the query left out; other paths are not found.

    Every job file is read as `job`. `changes` are answers to requests that change something, by method and path: one
    for each request, the last for all further ones.
    """

    address: str
    answers: dict[str, bytes] = field(default_factory=dict[str, bytes])
    asked: list[Asked] = field(default_factory=list[Asked])
    job: dict[str, Any] = field(default_factory=lambda: WELL_FORMED)
    changes: dict[str, list[bytes]] = field(default_factory=dict[str, list[bytes]])

    def runs(self, job: str, release: str, **deployment: Any) -> None:
        """`deployment` is its last one; none: null, as Nomad says it."""
        self.answers[f"/v1/job/{job}"] = answer({"ID": job, "Meta": {"release": release}})
        self.answers[f"/v1/job/{job}/deployment"] = answer(deployment or None)


def answer(value: Any, status: HTTPStatus = HTTPStatus.OK) -> bytes:
    return raw(json.dumps(value).encode(), status)


def raw(body: bytes, status: HTTPStatus = HTTPStatus.OK) -> bytes:
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


@contextmanager
def running_nomad(context: ssl.SSLContext | None = None) -> Iterator[Nomad]:
    """With `context` it speaks TLS."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nomad.asked.append(Asked(path=self.path, token=self.headers.get("X-Nomad-Token", "")))
            path = self.path.partition("?")[0]
            self.wfile.write(nomad.answers.get(path, raw(b"job not found", HTTPStatus.NOT_FOUND)))
            self.close_connection = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            known = self.path.partition("?")[0] == "/v1/jobs/parse"
            self.wfile.write(answer(nomad.job) if known else raw(b"not here", HTTPStatus.NOT_FOUND))
            self.close_connection = True

        def do_PUT(self) -> None:
            self._change()

        def do_DELETE(self) -> None:
            self._change()

        def _change(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            request = f"{self.command} {self.path.partition('?')[0]}"
            nomad.asked.append(Asked(path=request, token=self.headers.get("X-Nomad-Token", "")))
            given = nomad.changes.get(request, [raw(b"not here", HTTPStatus.NOT_FOUND)])
            self.wfile.write(given.pop(0) if len(given) > 1 else given[0])
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base names it
            del format, args

    server = Quiet((LOOPBACK, 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    nomad = Nomad(address=f"{'https' if context else 'http'}://{LOOPBACK}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield nomad
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Quiet(ThreadingHTTPServer):
    """A client that hangs up, for it trusts nobody here, is no news."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
