"""Redis connections that never lose a cancellation, which redis-py does before Python 3.12."""

import asyncio
from collections.abc import Iterable

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import Connection, SSLConnection


class _Cancelling(Connection):
    """The client sends in `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that comes as it ends.

    The task would run for ever, and every task that awaits it would hang.
    """

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - the base class's
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        await super().send_packed_command(command, check_health)
        if task and task.cancelling() > before:
            # The answer to this command will not be read.
            await self.disconnect(nowait=True)
            raise asyncio.CancelledError


class _CancellingSSL(_Cancelling, SSLConnection):
    """The same connection over TLS."""


def never_lose_cancellations(pool: BlockingConnectionPool) -> None:
    """Call it before the pool opens its first connection."""
    over_tls = issubclass(pool.connection_class, SSLConnection)
    pool.connection_class = _CancellingSSL if over_tls else _Cancelling
