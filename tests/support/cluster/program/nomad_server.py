"""A server that says over HTTP what Nomad would: what the real one in `tests/cluster/tooling` gives rarely."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
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

    def runs(
        self,
        job: str,
        release: str,
        *,
        counts: Sequence[int] = (2,),
        meta: Mapping[str, str] | None = None,
        earlier: Mapping[str, str] | None = None,
        **deployment: Any,
    ) -> None:
        """`deployment` is its last one, of the newest version unless it names another; none: Nomad knows none.

        `counts` are the numbers of instances of its versions, newest first. `meta` is what is said beside the release,
        `earlier` is what all other versions have as their meta data; without it they have the newest one's.
        """
        newest = {"release": release, **(meta or {})}
        versions = [
            _version(job, len(counts) - 1 - place, count, newest if place == 0 or earlier is None else earlier)
            for place, count in enumerate(counts)
        ]
        deployments = [_deployment(job, {"JobVersion": len(counts) - 1, **deployment})] if deployment else []
        self.says(job, "versions", {"Versions": versions})
        self.says(job, "deployments", deployments)
        self.says(job, "evaluations", [])
        self.says(job, "allocations", [])

    def says(self, job: str, subject: str, value: Any) -> None:
        """The answer about one subject of a job."""
        self.answers[f"/v1/job/{job}/{subject}"] = answer(value)


def _version(job: str, number: int, count: int, meta: Mapping[str, str]) -> dict[str, Any]:
    return {
        "ID": job,
        "Version": number,
        "Stable": True,
        "Stop": False,
        "JobModifyIndex": number,
        "Meta": meta,
        "TaskGroups": [{"Name": job, "Count": count, "Tasks": [{"Name": "run"}]}],
    }


def _deployment(job: str, given: Mapping[str, Any]) -> dict[str, Any]:
    group = {"Promoted": False, "PlacedCanaries": None, "DesiredCanaries": 0, "DesiredTotal": 2, "HealthyAllocs": 0}
    groups = {name: {**group, **values} for name, values in given.get("TaskGroups", {job: {}}).items()}
    return {"ID": f"deployment-{job}", "StatusDescription": "", "CreateIndex": 1, **given, "TaskGroups": groups}


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
    """A client that hangs up because it does not trust this server is expected."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
