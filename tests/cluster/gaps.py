"""For how long nobody reached the service."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tools.local_cluster.cluster import LocalCluster

PAUSE_SECONDS = 0.1
#: A request that waits longer is tried again: it says nothing about when the service is back.
PATIENCE_SECONDS = 2.0


@dataclass
class Visits:
    """`longest_seconds`: between two answers that came."""

    answered: int = 0
    failed: int = 0
    longest_seconds: float = 0.0
    _last: float = field(default_factory=time.monotonic)

    def count(self, answer: httpx.Response | None) -> None:
        if answer is None or not answer.is_success:
            self.failed += 1
            return
        now = time.monotonic()
        self.longest_seconds = max(self.longest_seconds, now - self._last)
        self.answered, self._last = self.answered + 1, now


@contextmanager
def visiting(cluster: LocalCluster, path: str) -> Iterator[Visits]:
    """One request after the other, each over a connection of its own, until the block ends."""
    visits, stop = Visits(), threading.Event()

    def visit() -> None:
        while not stop.wait(PAUSE_SECONDS):
            visits.count(asked(cluster, path))

    thread = threading.Thread(target=visit, name="visits")
    thread.start()
    try:
        yield visits
    finally:
        stop.set()
        thread.join()


def asked(cluster: LocalCluster, path: str) -> httpx.Response | None:
    """None: no answer."""
    authority = str(cluster.certificates.authority)
    try:
        return httpx.get(f"{cluster.plan.public_url}{path}", verify=authority, timeout=PATIENCE_SECONDS)
    except httpx.TransportError:
        return None
