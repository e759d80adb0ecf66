"""The public route: what passes, what is internal, and which headers of clients are replaced."""

import http.client
import http.server
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.servers import started, wait_until
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.traefik import Traefik

LARGE = 200_000


class Instance(http.server.BaseHTTPRequestHandler):
    """An HTTP server that answers with the request that it got. `/stream` sends an event and waits for `go_on`.

    A truncated body, or one for `/silent`, gets no answer.
    """

    protocol_version = "HTTP/1.1"
    go_on = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/stream":
            self._stream()
            return
        port = self.connection.getsockname()[1]
        self._answer(f"{port}\n{self.path}\n{self.headers}".encode())

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 1_000_000))
        content = self.rfile.read(length)
        if len(content) == length and self.path == "/large":
            self._answer(bytes(LARGE))
        elif len(content) == length and self.path != "/silent":
            self._answer(str(length).encode())
        else:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Logs nothing."""

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


class Leaving(Instance):
    """An instance that no longer answers once `gone` is set."""

    gone = threading.Event()

    def do_GET(self) -> None:
        if self.gone.is_set():
            self.close_connection = True
        else:
            super().do_GET()


@contextmanager
def instance(handler: type[Instance] = Instance) -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer((LOOPBACK, free_port()), handler) as server:
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
    """The spelling of the path makes no difference (R6.2 is for internal clients only)."""
    raw = httpx.URL(str(public.base_url)).copy_with(raw_path=path.encode())
    answer = public.get(raw)
    assert answer.status_code == 404
    _assert_in_words(answer)


@pytest.mark.parametrize("path", ["/x%2f..%2fmetrics", "/a%5Cb", "/a%00", "/a%3bb", "/a%252f", "/a%3Fb", "/a%23b"])
def test_a_path_that_could_be_read_in_two_ways_is_refused_in_words(public: httpx.Client, path: str) -> None:
    """Such a path has an encoded slash, or something else that Traefik and the API might interpret differently."""
    raw = httpx.URL(str(public.base_url)).copy_with(raw_path=path.encode())
    answer = public.get(raw)
    assert answer.status_code == 400
    _assert_in_words(answer)


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"GET /?\xff\xfe HTTP/1.1", b"", 400),
        (b"GET / HTTP/1.1" + b"".join(b"\r\nX-%d: x" % n for n in range(150)), b"", 431),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked", b"ZZ\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked", b"3\r\nabc\r\nZZ\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked", b"50\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 500", b"abc", 400),
    ],
)
def test_what_a_client_sends_wrong_is_its_own_error(
    public: httpx.Client, head: bytes, body: bytes, status: int
) -> None:
    """By default, Traefik answers 500 and 502, which count as faults of the service, or passes on an empty answer."""
    with socket.create_connection((LOOPBACK, public.base_url.port or 0), timeout=20) as wire:
        wire.sendall(head + b"\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n" + body)
        wire.shutdown(socket.SHUT_WR)
        with closing(http.client.HTTPResponse(wire)) as answer:
            answer.begin()
            assert (answer.status, answer.headers.get_content_type()) == (status, "text/html")
            assert b"<h1>" in answer.read()


def test_without_an_instance_an_answer_says_so_in_words(scratch: Path) -> None:
    """An instance that ended causes a 502 first, and a 503 once its health check fails. Both say when to retry."""
    with instance(Leaving) as leaving:
        urls = [f"http://{LOOPBACK}:{leaving.server_port}"]
        with started(Traefik(scratch / "traefik-3", port=free_port(), instances=urls)) as traefik:
            public = f"http://{LOOPBACK}:{traefik.port}/"

            def answered() -> int:
                answer = httpx.get(public, trust_env=False)
                if answer.status_code != 200:
                    _assert_in_words(answer)
                    assert answer.headers["retry-after"] == "5"
                return answer.status_code

            assert httpx.post(f"{public}silent", content=b"x", trust_env=False).status_code == 502
            Leaving.gone.set()
            wait_until(lambda: answered() == 503)


def _assert_in_words(answer: httpx.Response) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    assert answer.json()["detail"]


def test_other_pages_pass_with_headers_that_protect_the_browser(public: httpx.Client) -> None:
    """Pages cannot be framed, and browsers do not guess their type."""
    answer = public.get("/health/live")
    assert answer.status_code == 200
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_address_of_a_client_is_the_real_one(public: httpx.Client) -> None:
    """Limits by address depend on it (R8.5), so headers of the client are removed."""
    headers = public.get("/", headers={"X-Forwarded-For": "203.0.113.9", "X-Real-Ip": "203.0.113.9"}).text
    assert "X-Forwarded-For: 127.0.0.1" in headers
    assert "203.0.113.9" not in headers


def test_requests_are_spread_over_the_instances(public: httpx.Client) -> None:
    """R10.4 requires load balancing."""
    assert len({public.get("/").text.split("\n")[0] for _ in range(10)}) == 2


def test_an_upload_passes_whole(public: httpx.Client) -> None:
    """The upload has ten megabytes."""
    assert public.post("/", content=bytes(10_000_000)).text == "10000000"


def test_an_answer_to_a_body_arrives_whole_however_soon_it_begins(public: httpx.Client) -> None:
    """In an earlier version, one answer of a thousand was truncated.

    The end of a body was read again after its answer had begun.
    """
    url = str(public.base_url.join("/large"))

    def lengths(start: int) -> set[int]:
        with httpx.Client(trust_env=False) as client:
            return {len(client.post(url, content=b"x" * size).content) for size in range(start, start + 150)}

    with ThreadPoolExecutor(8) as pool:
        assert set().union(*pool.map(lengths, range(1, 800, 100))) == {LARGE}


def test_events_arrive_while_the_stream_is_open(public: httpx.Client) -> None:
    """Traefik does not buffer the stream."""
    Instance.go_on.clear()
    with public.stream("GET", "/stream", timeout=5) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "data: first"
        Instance.go_on.set()
        assert [line for line in lines if line] == ["data: second"]


def test_an_instance_that_fails_gets_no_more_requests(scratch: Path) -> None:
    """The request is retried on another instance at once, and the health check then removes the failed one (R10.5)."""
    with instance() as alive:
        dead = f"http://{LOOPBACK}:{free_port()}"
        urls = [f"http://{LOOPBACK}:{alive.server_port}", dead]
        with started(Traefik(scratch / "traefik-2", port=free_port(), instances=urls)) as traefik:
            public, metrics = f"http://{LOOPBACK}:{traefik.port}/", f"{traefik.inside_url}/metrics"
            assert [httpx.get(public, trust_env=False).status_code for _ in range(20)] == [200] * 20
            wait_until(lambda: f'url="{dead}"}} 0' in httpx.get(metrics, trust_env=False).text)


def test_an_answer_keeps_its_own_referrer_policy(public: httpx.Client) -> None:
    """A feed's address is a secret and must not be sent in a Referer."""
    assert public.get("/calendars/token.ics").headers["referrer-policy"] == "no-referrer"
