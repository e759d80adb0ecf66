"""The public route: what passes, what stays inside, and what clients cannot pretend."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.servers import started, wait_until
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.traefik import Traefik


class Instance(http.server.BaseHTTPRequestHandler):
    """An HTTP server that answers with what it was sent; `/stream` sends an event and waits to be let go on."""

    protocol_version = "HTTP/1.1"
    go_on = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/stream":
            self._stream()
            return
        self._answer(f"{self.server.server_port}\n{self.path}\n{self.headers}".encode())

    def do_POST(self) -> None:
        self._answer(str(len(self.rfile.read(int(self.headers["Content-Length"])))).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.go_on.wait(10)
        self.wfile.write(b"data: second\n\n")
        self.close_connection = True


@contextmanager
def instance() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer((LOOPBACK, free_port()), Instance) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def instances() -> Iterator[list[http.server.ThreadingHTTPServer]]:
    with instance() as one, instance() as two:
        yield [one, two]


@pytest.fixture(scope="module")
def public(scratch: Path, instances: list[http.server.ThreadingHTTPServer]) -> Iterator[httpx.Client]:
    urls = [f"http://{LOOPBACK}:{server.server_port}" for server in instances]
    with (
        started(Traefik(scratch / "traefik", port=free_port(), instances=urls)) as traefik,
        httpx.Client(base_url=f"http://{LOOPBACK}:{traefik.port}", trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/metrics/",
        "/metrics/x",
        "//metrics",
        "/%6detrics",
        "/x/../metrics",
        "/health/ready",
        "/health//ready",
    ],
)
def test_inside_pages_are_not_found_from_outside(public: httpx.Client, path: str) -> None:
    """However the path is spelt (R6.2 for those inside only)."""
    raw = httpx.URL(str(public.base_url)).copy_with(raw_path=path.encode())
    assert public.get(raw).status_code == 404


def test_a_path_that_could_be_read_in_two_ways_is_refused(public: httpx.Client) -> None:
    """An encoded slash."""
    raw = httpx.URL(str(public.base_url)).copy_with(raw_path=b"/x%2f..%2fmetrics")
    assert public.get(raw).status_code == 400


def test_other_pages_pass_with_headers_that_protect_the_browser(public: httpx.Client) -> None:
    """Nothing may frame them or guess their type."""
    answer = public.get("/health/live")
    assert answer.status_code == 200
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_address_of_a_client_is_the_real_one(public: httpx.Client) -> None:
    """Limits by address rest on it (R8.5): what a client claims is thrown away."""
    seen = public.get("/", headers={"X-Forwarded-For": "203.0.113.9", "X-Real-Ip": "203.0.113.9"}).text
    assert "X-Forwarded-For: 127.0.0.1" in seen
    assert "203.0.113.9" not in seen


def test_requests_are_spread_over_the_instances(public: httpx.Client) -> None:
    """(R10.4)."""
    assert len({public.get("/").text.split("\n")[0] for _ in range(10)}) == 2


def test_an_upload_passes_whole(public: httpx.Client) -> None:
    """Ten megabytes."""
    assert public.post("/", content=bytes(10_000_000)).text == "10000000"


def test_events_arrive_while_the_stream_is_open(public: httpx.Client) -> None:
    """Nothing is held back until the end."""
    Instance.go_on.clear()
    with public.stream("GET", "/stream", timeout=5) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "data: first"
        Instance.go_on.set()
        assert [line for line in lines if line] == ["data: second"]


def test_an_instance_that_fails_gets_no_more_requests(scratch: Path) -> None:
    """(R10.5): retried elsewhere at once, then left out by its health check."""
    with instance() as alive:
        dead = f"http://{LOOPBACK}:{free_port()}"
        urls = [f"http://{LOOPBACK}:{alive.server_port}", dead]
        with started(Traefik(scratch / "traefik-2", port=free_port(), instances=urls)) as traefik:
            public, metrics = f"http://{LOOPBACK}:{traefik.port}/", f"{traefik.inside_url}/metrics"
            assert [httpx.get(public, trust_env=False).status_code for _ in range(20)] == [200] * 20
            wait_until(lambda: f'url="{dead}"}} 0' in httpx.get(metrics, trust_env=False).text)


def test_an_answer_keeps_its_own_referrer_policy(public: httpx.Client) -> None:
    """A feed's address is a secret and must not travel in a Referer."""
    assert public.get("/calendars/token.ics").headers["referrer-policy"] == "no-referrer"
