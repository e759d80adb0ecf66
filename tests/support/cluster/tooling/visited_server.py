"""A small real server as a process of its own, which Traefik can route to and a test can kill or stop."""

import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from prometheus_client import generate_latest

from tests.support.servers import wait_until
from upschedule.metrics import REQUEST_SECONDS, REQUESTS
from upschedule.operations.embedded.ports import LOOPBACK, free_port, is_free

_turns = itertools.count(1)


class Handler(BaseHTTPRequestHandler):
    """Answers with its name and the length of the body. Answers about a share as the API does, and fails on command.

    It counts its answers as the API does, and delays one in so many on command.
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address, name = urlsplit(self.path), sys.argv[1]
        if address.path == "/health/ready/share":
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            well = query["instance"] == name and time.time() < float(query["until"]) and not Path(sys.argv[3]).exists()
            self._answer(200 if well else 503, {})
        elif address.path == "/metrics":
            self._send(200, generate_latest())
        elif address.path == "/stream":
            self._stream(name)
        else:
            with REQUEST_SECONDS.labels("GET", address.path).time():
                length = int(self.headers.get("Content-Length", 0))
                received = len(self.rfile.read(length))
                one_in, seconds = int(sys.argv[4]), float(sys.argv[5])
                if one_in and next(_turns) % one_in == 0:
                    time.sleep(seconds)
            REQUESTS.labels("GET", address.path, "200", "no").inc()
            self._answer(200, {"name": name, "received": received})

    def do_POST(self) -> None:
        self.do_GET()

    def _answer(self, status: int, content: dict[str, object]) -> None:
        self._send(status, json.dumps(content).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Upschedule-Instance", sys.argv[1])
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, name: str) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number in range(3):
            self.wfile.write(f"data: {name} {number}\n\n".encode())
            self.wfile.flush()
            threading.Event().wait(0.1)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the name is the base class's
        """Nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is none of the server's faults."""


@dataclass(kw_only=True)
class Visited:
    """The process; `name` is what it answers. While the file `unwell` exists it takes no share."""

    name: str
    unwell: Path
    port: int
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)

    def stop(self) -> None:
        """It keeps its port open and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def visited(
    name: str, folder: Path, *, port: int = 0, one_in: int = 0, delayed_seconds: float = 0
) -> Iterator[Visited]:
    """Runs while the block does; delays one answer in so many."""
    port, unwell = port or free_port(), folder / f"{name}.unwell"
    command = [sys.executable, "-m", __name__, name, str(port), str(unwell), str(one_in), str(delayed_seconds)]
    with subprocess.Popen(command) as process:
        try:
            wait_until(lambda: not is_free(port))
            yield Visited(name=name, unwell=unwell, port=port, process=process)
        finally:
            process.kill()


if __name__ == "__main__":
    Server((LOOPBACK, int(sys.argv[2])), Handler).serve_forever()
