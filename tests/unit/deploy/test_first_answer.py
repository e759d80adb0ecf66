"""The old release answers requests to a canary that the proxy does not know yet (R12.2)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from upschedule.deploy.clock import Clock
from upschedule.deploy.http import Endpoint
from upschedule.deploy.probe.client import INSTANCE_HEADER, await_answer_of

OLD_ANSWERS = 3


@contextmanager
def proxy() -> Iterator[tuple[Endpoint, list[str]]]:
    """Sends the first requests to `old` and all others to `canary`, and lists the servers that answered."""
    answers: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.append("old" if len(answers) < OLD_ANSWERS else "canary")
            self.send_response(200)
            self.send_header(INSTANCE_HEADER, answers[-1])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Endpoint(name="The service", address=f"http://127.0.0.1:{server.server_port}"), answers
        finally:
            server.shutdown()
            thread.join()


def passing() -> Clock:
    """A clock that advances only during pauses."""
    now = [0.0]
    return Clock(sleep=lambda seconds: now.__setitem__(0, now[0] + seconds), now=lambda: now[0], random=lambda: 0.5)


def test_the_gate_waits_until_the_canary_answers() -> None:
    with proxy() as (site, answers):
        assert await_answer_of(["canary"], site, passing(), path="/", seconds=10)
    assert answers == ["old"] * OLD_ANSWERS + ["canary"]


def test_a_canary_that_never_answers_ends_the_wait() -> None:
    """The requests that follow then show that other instances answer."""
    with proxy() as (site, answers):
        assert not await_answer_of(["another"], site, passing(), path="/", seconds=3)
    assert len(answers) > OLD_ANSWERS
