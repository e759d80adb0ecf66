"""Restarts servers that have ended, with growing pauses, and gives up on one that ends again and again.

It also bounds the size of their logs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from upschedule.backoff import Backoff
from upschedule.operations.embedded.server import Server

_BACKOFF = Backoff(base_seconds=1.0, max_seconds=30.0, jitter=0.0)
_STEADY_SECONDS = 60.0
_RESTARTS_MAX = 6


class RestartLimitReached(Exception):
    """A server ended again soon after each of several restarts."""

    def __init__(self, server: Server) -> None:
        super().__init__(f"{server.name} ended {_RESTARTS_MAX + 1} times in a row: see {server.log}.")


@dataclass(kw_only=True)
class _Watched:
    server: Server
    started_at: float
    restarts: int = 0
    restart_at: float | None = None


class Supervisor:
    """Watches the servers through periodic calls of `poll`."""

    def __init__(
        self, servers: Sequence[Server], *, report: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._report = report
        self._clock = clock
        self._watched = [_Watched(server=server, started_at=clock()) for server in servers]

    def poll(self) -> None:
        """Call it periodically; it never waits. Raises RestartLimitReached, and every error of a start."""
        for watched in self._watched:
            watched.server.bound_log()
            if watched.server.running:
                continue
            if watched.restart_at is None:
                self._schedule_restart(watched)
            elif self._clock() >= watched.restart_at:
                self._restart(watched)

    def _schedule_restart(self, watched: _Watched) -> None:
        now = self._clock()
        if now - watched.started_at > _STEADY_SECONDS:
            watched.restarts = 0
        if watched.restarts == _RESTARTS_MAX:
            raise RestartLimitReached(watched.server)
        watched.restarts += 1
        seconds = _BACKOFF.pause_seconds(watched.restarts, roll=0.0)
        watched.restart_at = now + seconds
        self._report(
            f"{watched.server.name} ended unexpectedly; it starts again in {seconds:.0f} s (log: {watched.server.log})"
        )

    def _restart(self, watched: _Watched) -> None:
        watched.server.spawn()
        watched.started_at, watched.restart_at = self._clock(), None
        self._report(f"{watched.server.name} was started again")
