"""Measures where the time of a request or a job is spent; its log line shows each part (R6.3).

Parts: `pool` (waiting for a connection), `postgres` (holding one), `redis` and `objects` (waiting for an answer),
`sandbox` (reading).
"""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

# Tasks that a request starts have a copy of the context, and with it the same dictionary.
_spent: ContextVar[dict[str, float] | None] = ContextVar("spent", default=None)


@contextmanager
def counting() -> Generator[Mapping[str, float]]:
    """Collects what `spent` measures in the block, in seconds by part. A block within it counts for itself."""
    parts: dict[str, float] = {}
    token = _spent.set(parts)
    try:
        yield parts
    finally:
        _spent.reset(token)


@contextmanager
def spent(part: str) -> Generator[None]:
    """Adds the time of the block to `part`, unless nothing counts."""
    began = time.perf_counter()
    try:
        yield
    finally:
        parts = _spent.get()
        if parts is not None:
            parts[part] = parts.get(part, 0.0) + time.perf_counter() - began


def fields(parts: Mapping[str, float]) -> dict[str, float]:
    """For a log line: `pool_ms` and so on, of those that were used."""
    return {f"{part}_ms": round(seconds * 1000, 1) for part, seconds in sorted(parts.items())}
