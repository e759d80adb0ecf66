"""Stops without breaking a request: readiness fails first, streams end, then the server stops listening."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Drain:
    """Set once the process has to stop."""

    def __init__(self, *, grace_seconds: float) -> None:
        self._grace_seconds = grace_seconds
        self._begun = asyncio.Event()

    @property
    def begun(self) -> bool:
        return self._begun.is_set()

    async def wait(self) -> None:
        """Returns when the process has to stop."""
        await self._begun.wait()

    @asynccontextmanager
    async def on_signal(self) -> AsyncGenerator[None]:
        """SIGTERM begins draining. After the grace period the server gets SIGINT: it finishes its requests and ends.

        The grace is the time in which a load balancer sees readiness fail, while the instance still accepts requests.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._begin, loop)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGTERM)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._begun.is_set():
            self._begun.set()
            loop.call_later(self._grace_seconds, os.kill, os.getpid(), signal.SIGINT)
