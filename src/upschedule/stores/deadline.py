"""A deadline for a PostgreSQL server that keeps its connection open but does not answer."""

import asyncio
import os
import socket
from contextlib import suppress
from types import TracebackType
from typing import Self

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow

Connection = AsyncConnection[DictRow]


class Deadline:
    """Shuts the connection's socket when the time is up; a pending call then raises OperationalError at once.

    Cancelling the task is not enough: psycopg then asks the same silent server to cancel, and waits for that.
    """

    def __init__(self, connection: Connection, seconds: float) -> None:
        self.passed = False
        self._connection = connection
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._cut)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _cut(self) -> None:
        self.passed = True
        # Ignored: the connection is closed already.
        with suppress(OSError, psycopg.OperationalError):
            descriptor = os.dup(self._connection.fileno())
            with socket.socket(fileno=descriptor) as wire:
                wire.shutdown(socket.SHUT_RDWR)
