"""Whether a load balancer should send requests to this instance."""

from collections.abc import Awaitable, Callable
from typing import Literal

from upschedule.stores.readiness import DependencyStatus, is_ready
from upschedule.web.http.drain import Drain

RotationState = Literal["starting", "serving", "draining"]


class Rotation:
    """An instance enters the rotation when it could work once, and leaves it when it drains.

    The first condition keeps out an instance whose own settings are wrong. A shared dependency that goes away later
    takes no instance out: requests wait for it or get a problem with `Retry-After`, and what needs nothing is served.
    """

    def __init__(self, readiness: Callable[[], Awaitable[list[DependencyStatus]]], drain: Drain) -> None:
        self._readiness = readiness
        self._drain = drain
        self._entered = False

    async def dependencies(self) -> list[DependencyStatus]:
        """Asks each dependency. Once all that are needed have answered, the instance is in the rotation."""
        answers = await self._readiness()
        self._entered = self._entered or is_ready(answers)
        return answers

    async def state(self) -> RotationState:
        """Asks the dependencies only until they have all answered once."""
        if not self._drain.begun and not self._entered:
            await self.dependencies()
        if self._drain.begun:
            return "draining"
        return "serving" if self._entered else "starting"
