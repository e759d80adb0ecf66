"""Visits to a service, one after the other, and what came of them."""

import itertools
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx


@dataclass
class Visits:
    """`longest_seconds`: between two that were answered."""

    answered: int = 0
    failures: list[str] = field(default_factory=list[str])
    longest_seconds: float = 0.0
    _last: float = field(default_factory=time.monotonic)

    def count(self, failure: str | None) -> None:
        if failure is not None:
            self.failures.append(failure)
            return
        now = time.monotonic()
        self.longest_seconds = max(self.longest_seconds, now - self._last)
        self.answered, self._last = self.answered + 1, now


@contextmanager
def visiting(visit: Callable[[], str | None], *, pause_seconds: float) -> Iterator[Visits]:
    """Again and again until the block ends. `visit` says why it failed; None: it was answered."""
    visits, stop = Visits(), threading.Event()

    def visit_all() -> None:
        while not stop.wait(pause_seconds):
            visits.count(visit())

    thread = threading.Thread(target=visit_all, name="visits")
    thread.start()
    try:
        yield visits
    finally:
        stop.set()
        thread.join()


@contextmanager
def reading(
    urls: Sequence[str], *, verify: ssl.SSLContext | bool = True, patience_seconds: float, pause_seconds: float
) -> Iterator[Visits]:
    """Each page in turn, each over a connection of its own."""
    turns = itertools.cycle(urls)
    single_use = httpx.Limits(max_keepalive_connections=0)
    with (
        httpx.Client(verify=verify, timeout=patience_seconds, limits=single_use) as client,
        visiting(lambda: failure_of(client, next(turns)), pause_seconds=pause_seconds) as visits,
    ):
        yield visits


def failure_of(client: httpx.Client, url: str) -> str | None:
    """None: the page came."""
    try:
        client.get(url).raise_for_status()
    except httpx.HTTPError as error:
        return f"{url}: {error!r}"
    return None
