"""Reads a request's body to its end, even if the answer did not need it."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_LEFTOVER_BYTES_MAX = 64 * 1024 * 1024
_LEFTOVER_SECONDS_MAX = 30.0
#: In lower case, as all names of headers are in ASGI.
_DECLARATIONS = {b"content-length", b"transfer-encoding"}


class Body:
    """Forwards messages as they arrive, and remembers whether the body is complete."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._complete = _DECLARATIONS.isdisjoint(dict(scope["headers"]))

    async def receive(self) -> Message:
        """The next message of the server."""
        message = await self._receive()
        self._complete = self._complete or not message.get("more_body", False)
        return message

    async def discard(self) -> None:
        """Reads what is left once the answer is on its way, within bounds of size and time.

        A connection that closes on a body half sent often loses the answer: the proxy says 502 instead of 413.
        """
        if self._complete:
            # Nearly always. A timer that is not needed costs a twentieth of a short request.
            return
        left = _LEFTOVER_BYTES_MAX
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEFTOVER_SECONDS_MAX):
                while not self._complete and left > 0:
                    message = await self.receive()
                    left -= len(message.get("body", b""))
