"""Simulates students who use the public address during a test of the cluster, and records the answers."""

import asyncio
import itertools
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.support.documents.comparing import is_right
from tests.support.documents.generate import Document

#: Timeout of a request.
PATIENCE_SECONDS = 20.0
#: Time limit of one document, from the upload to the end of its job, including repeated requests.
DOCUMENT_SECONDS = 120.0
#: Fewer than the hundred status requests a minute that an account may send (R5.2), however long a reading takes.
POLL_SECONDS = 0.7
COMPARE_AGAIN_SECONDS = 2.0


@dataclass
class Seen:
    """The answers so far.

    `failures` are messages. A refusal with `Retry-After`, by a limit or a full queue, is not a failure.
    """

    answered: int = 0
    refused: int = 0
    documents: int = 0
    failures: list[str] = field(default_factory=list[str])
    #: The refused requests with the reason, for the message of a test that expects no refusal.
    refusals: set[str] = field(default_factory=set[str])
    slowest_seconds: float = 0.0
    #: Documents whose job has ended.
    delivered: int = 0
    #: Documents whose first reading was wrong, and that were then automatically read again correctly.
    corrected: int = 0

    def summary(self) -> str:
        """One line for a report."""
        return (
            f"{self.answered} requests answered, {self.documents} documents read correctly, {self.refused} refused "
            f"temporarily, {len(self.failures)} failed, slowest {self.slowest_seconds:.2f} s; {sorted(self.refusals)}"
        )


class Traffic:
    """`readers` clients fetch pages all the time. Each document is uploaded by a client of its own."""

    def __init__(self, url: str, verify: ssl.SSLContext, *, readers: int, pause_seconds: float) -> None:
        self.seen = Seen()
        self._url, self._verify = url, verify
        self._readers, self._pause_seconds = readers, pause_seconds
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._read(),), name="traffic")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the traffic after the requests in progress have been answered and counted."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def upload(
        self,
        documents: Sequence[Document],
        *,
        at_once: int,
        within_seconds: float = DOCUMENT_SECONDS,
        poll_seconds: float = POLL_SECONDS,
        correct_within_seconds: float = 0,
    ) -> "Future[None]":
        """Uploads the documents in the background; `within_seconds` is the limit of each.

        The future is done when each timetable has been compared or has failed. A wrong timetable is fetched again for
        up to `correct_within_seconds`, because the service repeats the readings of a bad release.
        """
        slots = asyncio.Semaphore(at_once)
        delivering = self._upload_all(documents, slots, within_seconds, poll_seconds, correct_within_seconds)
        return asyncio.run_coroutine_threadsafe(delivering, self._loop)

    async def _read(self) -> None:
        async with asyncio.TaskGroup() as people:
            for number in range(self._readers):
                people.create_task(self._reader(number))
            await self._stop.wait()

    async def _reader(self, number: int) -> None:
        paths = itertools.cycle(("/", "/api/v1/capacity", "/api/v1/jobs", "/health/live"))
        async with self._client() as client:
            await asyncio.sleep(self._pause_seconds * number / self._readers)
            while not self._stop.is_set():
                await self._ask(client, "GET", next(paths))
                await asyncio.sleep(self._pause_seconds)

    async def _upload_all(
        self,
        documents: Sequence[Document],
        slots: asyncio.Semaphore,
        within_seconds: float,
        poll_seconds: float,
        correct_within_seconds: float,
    ) -> None:
        async def one(document: Document) -> None:
            async with self._client() as client:
                async with slots:
                    try:
                        job = await asyncio.wait_for(self._deliver(client, document, poll_seconds), within_seconds)
                    except TimeoutError:
                        self.seen.failures.append(f"no timetable after {within_seconds} s")
                        return
                # Outside of the semaphore: a document that waits to be read again does not delay other uploads.
                if job:
                    self.seen.delivered += 1
                    await self._compare(client, document, job, correct_within_seconds)

        await asyncio.gather(*map(one, documents))

    async def _deliver(self, client: httpx.AsyncClient, document: Document, poll_seconds: float) -> str | None:
        """Uploads the document and waits until its job has ended. Returns the job's id, or None if a request failed."""
        sent = await self._ask(client, "POST", "/api/v1/uploads", document.data)
        if sent is None:
            return None
        job: str = sent.json()["id"]
        while True:
            status = await self._ask(client, "GET", f"/api/v1/jobs/{job}")
            if status is None:
                return None
            if status.json()["status"] in {"completed", "failed"}:
                return job
            await asyncio.sleep(poll_seconds)

    async def _compare(self, client: httpx.AsyncClient, document: Document, job: str, within_seconds: float) -> None:
        """Compares the timetable again and again, until it is right or the time is up."""
        deadline, first = time.monotonic() + within_seconds, True
        while (timetable := await self._ask(client, "GET", f"/api/v1/jobs/{job}/timetable")) is not None:
            if is_right(document, timetable.content):
                self.seen.documents += 1
                self.seen.corrected += not first
                return
            if time.monotonic() > deadline:
                self.seen.failures.append(f"a document ({document.made}) was read wrongly")
                return
            first = False
            await asyncio.sleep(COMPARE_AGAIN_SECONDS)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._url, verify=self._verify, timeout=PATIENCE_SECONDS)

    async def _ask(
        self, client: httpx.AsyncClient, method: str, path: str, content: bytes | None = None
    ) -> httpx.Response | None:
        """Sends a request, and repeats it after 429 or 503 with `Retry-After`. Returns None if it fails."""
        while True:
            files = {"file": ("schedule.pdf", content, "application/pdf")} if content is not None else None
            began = time.monotonic()
            try:
                answer = await client.request(method, path, files=files)
            except httpx.TransportError as error:
                self.seen.failures.append(f"{method} {path}: {type(error).__name__} {error}")
                return None
            finally:
                self.seen.slowest_seconds = max(self.seen.slowest_seconds, time.monotonic() - began)
            if not self._is_refusal(answer):
                break
            self.seen.refused += 1
            self.seen.refusals.add(f"{method} {path}: {answer.status_code} {answer.json().get('detail')}")
            await asyncio.sleep(float(answer.headers["Retry-After"]))
        if answer.is_success:
            self.seen.answered += 1
            return answer
        self.seen.failures.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return None

    def _is_refusal(self, answer: httpx.Response) -> bool:
        return (
            answer.status_code in {429, 503}
            and "Retry-After" in answer.headers
            and answer.headers["Content-Type"] == "application/problem+json"
        )


@contextmanager
def traffic(url: str, verify: ssl.SSLContext, *, readers: int = 8, pause_seconds: float = 0.1) -> Iterator[Traffic]:
    """Sends about `readers / pause_seconds` requests a second until the block ends."""
    made = Traffic(url, verify, readers=readers, pause_seconds=pause_seconds)
    made.start()
    try:
        yield made
    finally:
        made.stop()
