"""Starts a server again that ended by itself, with growing pauses, and gives up on one that keeps ending.

Its log is kept within a bound meanwhile.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from upschedule.operations.embedded.server import Server

_PAUSE_SECONDS_MAX = 30.0
_STEADY_SECONDS = 60.0
_RESTARTS_MAX = 6


class KeepsEnding(Exception):
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
    """`check` is called again and again by its owner; it never waits."""

    def __init__(
        self, servers: Sequence[Server], *, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._clock = clock
        self._watched = [_Watched(server=server, started_at=clock()) for server in servers]

    def check(self) -> None:
        """Raises KeepsEnding, or what starting raises."""
        for watched in self._watched:
            watched.server.bound_log()
            if watched.server.running:
                continue
            if watched.restart_at is None:
                self._plan(watched)
            elif self._clock() >= watched.restart_at:
                self._restart(watched)

    def _plan(self, watched: _Watched) -> None:
        now = self._clock()
        if now - watched.started_at > _STEADY_SECONDS:
            watched.restarts = 0
        if watched.restarts == _RESTARTS_MAX:
            raise KeepsEnding(watched.server)
        seconds = min(2.0**watched.restarts, _PAUSE_SECONDS_MAX)
        watched.restarts += 1
        watched.restart_at = now + seconds
        self._say(
            f"{watched.server.name} ended by itself; it starts again in {seconds:.0f} s (log: {watched.server.log})"
        )

    def _restart(self, watched: _Watched) -> None:
        watched.server.spawn()
        watched.started_at, watched.restart_at = self._clock(), None
        self._say(f"{watched.server.name} was started again")
