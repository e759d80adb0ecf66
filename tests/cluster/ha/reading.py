"""Readers of a service at a steady pace, and what they saw."""

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

PATIENCE_SECONDS = 5
PAUSE_SECONDS = 0.02


@dataclass
class Seen:
    answered: int = 0
    failures: list[str] = field(default_factory=list[str])


@contextmanager
def reading(addresses: Sequence[str]) -> Iterator[Seen]:
    """About 40 requests a second until the block ends, to each address in turn, each over a connection of its own."""
    seen = Seen()
    client = httpx.Client(timeout=PATIENCE_SECONDS, limits=httpx.Limits(max_keepalive_connections=0))
    stop = threading.Event()

    def read() -> None:
        for address in itertools.cycle(addresses):
            try:
                client.get(f"http://{address}/").raise_for_status()
                seen.answered += 1
            except httpx.HTTPError as error:
                seen.failures.append(f"{address}: {error!r}")
            if stop.wait(PAUSE_SECONDS):
                return

    reader = threading.Thread(target=read, name="reader")
    reader.start()
    try:
        yield seen
    finally:
        stop.set()
        reader.join()
        client.close()
