"""Students as locust users: each visit has a cookie jar and a source address of its own."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, ClassVar, NoReturn

import gevent
from locust import HttpUser, task
from locust.exception import StopUser
from requests import Response
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException

from perf.load.samples import Recorder
from perf.load.truth import Sent

#: A person who has waited so long has left.
PATIENCE_SECONDS = 30.0
DOCUMENT_SECONDS = 300.0
#: As the stream itself tells browsers to wait when it breaks.
RECONNECT_SECONDS = 2.0
#: Between two visits of a user in a closed model.
PAUSE_SECONDS = 1.0
#: Source addresses 127.1.0.1 to 127.20.250.200, so that a limit by address does not hide the system.
_NETS, _HOSTS, _ENDS = 20, 250, 200
_REFUSED = {429, 503}
_FEED = re.compile(r"/calendars/[^/]+\.ics")


class SourceAddress(HTTPAdapter):
    """Connections come from this address of this machine."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **{**options, "source_address": (self._address, 0)})


class Given:
    """The state that all users share: the clock since the start, the beginnings of visits, the documents to send."""

    def __init__(self, recorder: Recorder, arrivals: Iterator[float] | None, documents: Iterator[Sent]) -> None:
        self.recorder, self.documents = recorder, documents
        self._arrivals, self._began, self._visits = arrivals, time.monotonic(), 0

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def next_visit(self) -> float | None:
        """The beginning of the next visit; None after the last one."""
        if self._arrivals is None:
            return self.now()
        return next(self._arrivals, None)

    def source_address(self) -> str:
        """Another one for each visit, until all have been used."""
        number, self._visits = self._visits, self._visits + 1
        return f"127.{1 + number // _ENDS // _HOSTS % _NETS}.{1 + number // _ENDS % _HOSTS}.{1 + number % _ENDS}"


class VisitFailedError(Exception):
    """The visit cannot go on; what failed is recorded."""


class Student(HttpUser):
    """Opens the page, uploads a document, waits for it, compares the timetable, makes a calendar, reads its feed."""

    given: ClassVar[Given]
    is_open_model: ClassVar[bool] = False

    @task
    def visit(self) -> None:
        """One visit; refusals end it, as they end a person's patience."""
        begin = self.given.next_visit()
        if begin is None:
            raise StopUser
        gevent.sleep(max(0.0, begin - self.given.now()))
        self.client.cookies.clear()
        self.client.mount("http://", SourceAddress(self.given.source_address()))
        try:
            self._visit(begin, next(self.given.documents))
        except VisitFailedError:
            pass
        finally:
            self.client.close()
        if not self.is_open_model:
            gevent.sleep(PAUSE_SECONDS)

    def _visit(self, begin: float, sent: Sent) -> None:
        page = self._ask("page", "GET", "/", intended=begin)
        self._check("page", begin, right=b"</html>" in page.content)
        began = self.given.now()
        files = {"file": ("schedule.pdf", sent.data, "application/pdf")}
        job: str = self._ask("upload", "POST", "/api/v1/uploads", files=files).json()["id"]
        self._check("upload", began)
        self.given.recorder.accepted.append(job)
        self._await_end(job, began)
        asked = self.given.now()
        status = self._ask("status", "GET", f"/api/v1/jobs/{job}").json()["status"]
        self._check("status", asked, right=status == "completed")
        asked = self.given.now()
        timetable = self._ask("timetable", "GET", f"/api/v1/jobs/{job}/timetable").content
        self._check("timetable", asked, right=sent.is_read_right(timetable))
        if sent.dated:
            self._publish(job, sent)

    def _await_end(self, job: str, began: float) -> None:
        name = "upload to finished"
        while self.given.now() - began < DOCUMENT_SECONDS:
            if status := self._followed(job):
                self.given.recorder.last_finished = max(self.given.recorder.last_finished, self.given.now())
                self._check(name, began, right=status == "completed")
                return
            gevent.sleep(RECONNECT_SECONDS)
        self._fail(name, began, "failed", f"not finished after {DOCUMENT_SECONDS:.0f} s")

    def _followed(self, job: str) -> str | None:
        """The final status, from the stream as the page follows it; None if the stream ended before."""
        asked, final = self.given.now(), None
        try:
            with closing(self._ask("stream", "GET", f"/api/v1/jobs/{job}/stream", stream=True)) as stream:
                self._check("stream", asked)
                for line in stream.iter_lines():
                    if line.startswith(b"data:"):
                        status: str = json.loads(line.removeprefix(b"data:"))["status"]
                        final = status if status in {"completed", "failed"} else None
        except RequestException:
            return None
        return final

    def _publish(self, job: str, sent: Sent) -> None:
        began = self.given.now()
        made = self._ask("calendar", "POST", "/api/v1/calendars", json={"jobs": [job]}).json()
        self._check("calendar", began)
        address = _FEED.search(made["feed_url"])
        assert address, made
        asked = self.given.now()
        feed = self._ask("feed", "GET", address[0])
        self._check("feed", asked, right=sent.is_published_right(feed.content))
        asked = self.given.now()
        again = self._ask("unchanged feed", "GET", address[0], headers={"If-None-Match": feed.headers["ETag"]})
        self._check("unchanged feed", asked, right=again.status_code == 304)

    def _ask(self, name: str, method: str, path: str, *, intended: float | None = None, **options: Any) -> Response:
        """Records what is no answer and raises VisitFailedError; what the answer must hold is the caller's to check."""
        began = self.given.now() if intended is None else intended
        try:
            answer = self.client.request(method, path, name=name, timeout=PATIENCE_SECONDS, **options)
        except RequestException as error:
            self._fail(name, began, "failed", type(error).__name__)
        # Locust puts what it caught into an answer with the status 0.
        if answer.status_code in _REFUSED and "Retry-After" in answer.headers:
            self._fail(name, began, "limited", str(answer.status_code))
        if answer.status_code == 0 or answer.status_code >= 400:
            self._fail(name, began, "failed", f"status {answer.status_code}")
        return answer

    def _check(self, name: str, began: float, *, right: bool = True) -> None:
        if not right:
            self._fail(name, began, "wrong", "another content than was sent")
        self.given.recorder.add(name, intended=began, ended=self.given.now(), outcome="right")

    def _fail(self, name: str, began: float, outcome: str, reason: str) -> NoReturn:
        self.given.recorder.add(name, intended=began, ended=self.given.now(), outcome=outcome, reason=reason)
        raise VisitFailedError
