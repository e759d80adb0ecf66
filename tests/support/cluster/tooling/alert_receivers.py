"""What alerts arrive at beside a mailbox: a receiver of webhooks."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from upschedule.operations.embedded.ports import LOOPBACK


class Hooks:
    """Every message of Alertmanager by path, with the time by `time.monotonic`."""

    def __init__(self) -> None:
        arrived = self.arrived = list[tuple[float, str, dict[str, Any]]]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                arrived.append((time.monotonic(), self.path, json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Writes nothing."""

        self.server = ThreadingHTTPServer((LOOPBACK, 0), Handler)

    def url(self, path: str) -> str:
        return f"http://{LOOPBACK}:{self.server.server_port}{path}"

    def statuses(self, path: str, alert: str) -> list[str]:
        """The status of each message on the path that contains the alert."""
        return [body["status"] for _, at, body in self.arrived if at == path and _names(body) == {alert}]

    def names(self, path: str) -> set[str]:
        """The names of the alerts in all messages on the path."""
        return set[str]().union(*(_names(body) for _, at, body in self.arrived if at == path))


def _names(body: dict[str, Any]) -> set[str]:
    return {alert["labels"]["alertname"] for alert in body["alerts"]}


@contextmanager
def receiving_hooks() -> Iterator[Hooks]:
    hooks = Hooks()
    thread = threading.Thread(target=hooks.server.serve_forever)
    thread.start()
    try:
        yield hooks
    finally:
        hooks.server.shutdown()
        hooks.server.server_close()
        thread.join()
