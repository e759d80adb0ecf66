"""The synthetic student's figures and times, and the limits of its client."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from upschedule import golden
from upschedule.deploy.clock import Clock
from upschedule.deploy.http import Endpoint
from upschedule.deploy.probe.client import BODY_BYTES_MAX, ProbeClient
from upschedule.deploy.probe.golden import ALL, GoldenStage
from upschedule.deploy.synthetic.figures import STAGES, outcome_of
from upschedule.deploy.synthetic.student import Credentials, SyntheticStudent, pause_seconds
from upschedule.golden import LAYOUTS

OF_EXAMS = STAGES["exams"]


def stage(name: str, *, differences: int = 0, done: bool = True) -> GoldenStage:
    return GoldenStage(name=name, document="exams", seconds=1, differences=differences, done=done)


@pytest.mark.parametrize(
    ("stages", "outcome"),
    [
        ([stage(name) for name in OF_EXAMS], "right"),
        ([stage("upload"), stage("reading"), stage("timetable", differences=1)], "wrong"),
        ([stage("upload"), stage("reading", done=False)], "failed"),
        ([stage("upload"), stage("reading"), stage("timetable", differences=1, done=False)], "failed"),
        ([], "failed"),
    ],
    ids=["all", "one field", "not read", "cut off while it was compared", "never begun"],
)
def test_a_run_is_right_only_if_it_came_to_its_end(stages: list[GoldenStage], outcome: str) -> None:
    assert outcome_of(stages, OF_EXAMS) == outcome


def test_every_document_has_figures() -> None:
    """Without figures of a layout, no alert would notice that it is not read."""
    assert STAGES.keys() == {*LAYOUTS, ALL}


@pytest.mark.parametrize(("now", "roll", "pause"), [(100.0, 1.0, 300.0), (140.0, 1.0, 260.0), (500.0, 1.0, 0.0)])
def test_runs_begin_at_equal_distances(now: float, roll: float, pause: float) -> None:
    """The time of a run does not matter. After a run that is longer than the distance, the next one begins at once."""
    clock = Clock(now=lambda: now, random=lambda: roll)
    assert pause_seconds(clock, every_seconds=300, began=100) == pause


def test_jitter_shortens_a_pause_by_up_to_a_tenth() -> None:
    """Two clusters then do not always send requests in the same second."""
    clock = Clock(now=lambda: 0.0, random=lambda: 0.0)
    assert pause_seconds(clock, every_seconds=300, began=0) == pytest.approx(270)


class _Endless(BaseHTTPRequestHandler):
    """Sends until the client closes: as fast as it can, or a byte from time to time, depending on the path."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        chunk = bytes(65_536) if self.path == "/fast" else b"."
        try:
            while True:
                self.wfile.write(chunk)
                self.wfile.flush()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Logs nothing."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[Endpoint]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield Endpoint(name="The service", address=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def endless() -> Iterator[Endpoint]:
    with serving(_Endless) as site:
        yield site


def test_an_answer_without_end_costs_bounded_memory(endless: Endpoint) -> None:
    """The endless answer counts as no answer."""
    answer = ProbeClient(endless, Clock()).request("GET", "/fast")
    assert (answer.record.status, answer.body) == (0, b"")
    size = int(answer.record.detail.split()[-2])
    assert BODY_BYTES_MAX < size <= BODY_BYTES_MAX + 65_536


def test_an_answer_that_trickles_ends_in_time(endless: Endpoint) -> None:
    """A timeout for each read alone would never end it."""
    answer = ProbeClient(endless, Clock(), answer_seconds=0.3).request("GET", "/slow")
    assert answer.record.status == 0
    assert 0.3 <= answer.record.seconds < 5


class _Unconfirmed(BaseHTTPRequestHandler):
    """A service that accepts a sign-up and waits until the link in its message is opened."""

    sign_ups: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self._answer(403)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/v1/accounts":
            self.sign_ups.append(self.path)
        self._answer(202 if self.path == "/api/v1/accounts" else 403)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Logs nothing."""


def test_it_signs_up_once_however_often_it_is_not_known() -> None:
    """Each sign-up sends a message to its address if the service has a mail server."""
    with serving(_Unconfirmed) as site:
        student = SyntheticStudent(
            site=site,
            golden=golden.load(),
            clock=Clock(),
            credentials=Credentials(email="a@example.org", password="of nobody at all"),
            document_seconds=1,
        )
        runs = [student.run() for _ in range(3)]
    assert [finding.detail for run in runs for finding in run.findings] == ["signing in answers 403: "] * 3
    assert len(_Unconfirmed.sign_ups) == 1
