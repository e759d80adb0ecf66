"""Decides whether a load balancer should send requests to this instance."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from upschedule.stores.readiness import DependencyStatus, is_ready
from upschedule.web.http.drain import Drain

RotationState = Literal["starting", "serving", "draining"]
ShareState = Literal[RotationState, "another instance", "over"]


class Rotation:
    """An instance enters the rotation when it could work once, and leaves it when it drains.

    The first condition keeps out an instance whose own settings are wrong. A shared dependency that goes away later
    takes no instance out: requests wait for it or get a problem with `Retry-After`, and what needs nothing is served.
    """

    def __init__(
        self,
        readiness: Callable[[], Awaitable[list[DependencyStatus]]],
        drain: Drain,
        *,
        instance: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        """`instance` is the allocation that this process is; `now` gives seconds since 1970."""
        self._readiness = readiness
        self._drain = drain
        self._instance = instance
        self._now = now
        self._entered = False

    async def dependencies(self) -> list[DependencyStatus]:
        """Asks each dependency. Once all that are needed have answered, the instance is in the rotation."""
        answers = await self._readiness()
        self._entered = self._entered or is_ready(answers)
        return answers

    async def keep_asking(self, *, pause_seconds: float) -> None:
        """Asks the dependencies until it is cancelled, so that their metric is never stale.

        A load balancer asks only for `state`, which asks no dependency once the instance is in the rotation.
        """
        while True:
            await self.dependencies()
            await asyncio.sleep(pause_seconds)

    async def state(self) -> RotationState:
        """Asks the dependencies only until they have all answered once."""
        if not self._drain.begun and not self._entered:
            await self.dependencies()
        if self._drain.begun:
            return "draining"
        return "serving" if self._entered else "starting"

    async def share_state(self, *, instance: str, until: float) -> ShareState:
        """Whether a share of the visitors that was meant for `instance` until then may come to this process.

        The proxy cannot know either: another process may listen at the address meanwhile, and the command that set the
        share may have been killed.
        """
        if not self._instance or instance != self._instance:
            return "another instance"
        if self._now() >= until:
            return "over"
        return await self.state()
