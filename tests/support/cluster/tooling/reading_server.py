"""A process that counts documents as a worker does: what it has read is what a test tells it to have read."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from prometheus_client import generate_latest

from tests.support.servers import wait_until
from upschedule.metrics import EVENTS_READ, READINGS
from upschedule.operations.embedded.ports import LOOPBACK, free_port, is_free


class Handler(BaseHTTPRequestHandler):
    """`/metrics`, and `/read` with layout, outcome and, of a document that was read, the number of events."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        body = b""
        if address.path == "/metrics":
            body = generate_latest()
        else:
            said = {key: values[0] for key, values in parse_qs(address.query).items()}
            READINGS.labels(layout=said["layout"], outcome=said["outcome"]).inc()
            if "events" in said:
                EVENTS_READ.labels(layout=said["layout"]).observe(int(said["events"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the name is the base class's
        """Nothing."""


@dataclass(frozen=True, kw_only=True)
class ReadingServer:
    """`name` is the allocation under which Prometheus knows it."""

    name: str
    port: int

    def read(self, layout: str, outcome: str, events: int | None = None) -> None:
        """Counts one document."""
        parameters = {"layout": layout, "outcome": outcome, **({} if events is None else {"events": str(events)})}
        httpx.get(f"http://{LOOPBACK}:{self.port}/read", params=parameters, timeout=10).raise_for_status()


@contextmanager
def reading(name: str) -> Iterator[ReadingServer]:
    """Runs while the block does."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", __name__, str(port)]) as process:
        try:
            wait_until(lambda: not is_free(port))
            yield ReadingServer(name=name, port=port)
        finally:
            process.kill()


if __name__ == "__main__":
    ThreadingHTTPServer((LOOPBACK, int(sys.argv[1])), Handler).serve_forever()
