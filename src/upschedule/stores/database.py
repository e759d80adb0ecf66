"""PostgreSQL: one connection pool per process, and transactions with a deadline (R3.1-R3.3, R3.5)."""

import select
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from upschedule.spent_time import spent
from upschedule.stores.deadline import Connection, Deadline
from upschedule.stores.errors import PoolExhausted, StoreFull, StoreTimeout, StoreUnavailable

__all__ = ["Connection", "Database", "PoolOptions"]

_STORE = "postgres"
# A connection used so recently is not pinged: a lost server shows on the socket, a silent one hits the deadline.
_TRUSTED_SECONDS = 1.0
# The pool doubles its pause after each failed attempt to connect. A series this short has two attempts, a second apart;
# the next series begins at once, so a server that comes back is noticed within about a second however long it was away.
_RECONNECT_SECONDS = 1.0


class PoolOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes count connections. `wait_seconds` bounds the queue of R3.5, `statement_seconds` a statement (R3.2)."""

    size_min: int
    size_max: int
    waiting_max: int
    wait_seconds: float
    statement_seconds: float
    connect_seconds: float


class Database:
    """Lends connections for one transaction or one SELECT each. The pool reconnects when the server returns."""

    def __init__(self, url: str, options: PoolOptions) -> None:
        self._options = options
        self._used_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()
        # How often all idle connections were replaced, and for each connection the count when it was opened.
        self._generation = 0
        self._generations: WeakKeyDictionary[Connection, int] = WeakKeyDictionary()
        # Without the pool's own `check`: it finds dead connections one by one and doubles its pause after each.
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            connection_class=Connection,
            min_size=options.size_min,
            max_size=options.size_max,
            max_waiting=options.waiting_max,
            timeout=options.wait_seconds,
            reconnect_timeout=_RECONNECT_SECONDS,
            reconnect_failed=_reconnect,
            configure=self._note_opened,
            kwargs=_connection_arguments(options),
            open=False,
            name=_STORE,
        )

    async def open(self) -> None:
        """Returns without waiting for the server; readiness reports whether it answers."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=5.0)

    @asynccontextmanager
    async def transaction(self, *, seconds: float | None = None) -> AsyncGenerator[Connection]:
        """Commits at the end, rolls back on an error. Raises PoolExhausted, or another StoreError.

        `seconds` bounds the whole transaction, also if the server no longer answers; by default the longest statement
        fits in it.
        """
        async with self._lent(seconds) as connection, connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Connection]:
        """For one SELECT, which is a transaction of its own: BEGIN and COMMIT would be two more round trips.

        Raises PoolExhausted, or another StoreError.
        """
        async with self._lent(None) as connection:
            await connection.set_autocommit(True)
            try:
                yield connection
            finally:
                # It changes this object only, unless an error has left a transaction open or broken the connection.
                if connection.info.transaction_status is TransactionStatus.IDLE:
                    await connection.set_autocommit(False)
                else:
                    await connection.close()

    @asynccontextmanager
    async def _lent(self, seconds: float | None) -> AsyncGenerator[Connection]:
        if seconds is None:
            seconds = self._options.statement_seconds + self._options.connect_seconds
        try:
            with spent("pool"):
                connection = await self._take()
        except (PoolTimeout, TooManyRequests) as error:
            raise PoolExhausted(_STORE, type(error).__name__) from error
        deadline = Deadline(connection, seconds)
        try:
            with spent(_STORE), deadline:
                yield connection
        except psycopg.errors.DiskFull as error:
            raise StoreFull(_STORE, "disk full") from error
        except psycopg.errors.QueryCanceled as error:
            raise StoreTimeout(_STORE, "statement timeout") from error
        except (
            psycopg.OperationalError,
            psycopg.InterfaceError,
            psycopg.errors.IdleInTransactionSessionTimeout,
        ) as error:
            raise _lost(error, deadline) from error
        except psycopg.InternalError as error:
            if error.sqlstate:
                raise
            # psycopg's own: a server or proxy went away in the middle of an answer. What follows on this connection
            # would belong to another command.
            await connection.close()
            raise _lost(error, deadline) from error
        finally:
            self._used_at[connection] = time.monotonic()
            await self._pool.putconn(connection)

    async def ping(self) -> None:
        """Raises StoreError."""
        async with self.reading() as connection:
            await connection.execute("SELECT 1")

    async def _note_opened(self, connection: Connection) -> None:
        self._generations[connection] = self._generation
        self._used_at[connection] = time.monotonic()

    async def _take(self) -> Connection:
        """A connection that answers. Raises PoolTimeout or TooManyRequests."""
        deadline = time.monotonic() + self._options.wait_seconds
        while True:
            connection = await self._pool.getconn(timeout=deadline - time.monotonic())
            try:
                await self._ensure_alive(connection)
            except psycopg.Error:
                await self._replace(connection)
            except BaseException:
                await self._pool.putconn(connection)
                raise
            else:
                return connection

    async def _ensure_alive(self, connection: Connection) -> None:
        """Raises psycopg.Error for a dead connection, for example after a restart of the server."""
        recent = time.monotonic() - self._used_at.get(connection, float("-inf")) < _TRUSTED_SECONDS
        if recent and _is_quiet(connection):
            return
        with Deadline(connection, self._options.connect_seconds):
            await AsyncConnectionPool[Connection].check_connection(connection)

    async def _replace(self, dead: Connection) -> None:
        """Closes the connection and all idle ones of its generation: most likely they lost the same server."""
        current = self._generations.get(dead) == self._generation
        await dead.close()
        await self._pool.putconn(dead)
        if current:
            self._generation += 1
            await self._pool.drain()

    def statistics(self) -> dict[str, int]:
        """The pool's counters, by the names of psycopg_pool."""
        return self._pool.get_stats()


def _lost(error: psycopg.Error, deadline: Deadline) -> StoreTimeout | StoreUnavailable:
    if deadline.passed:
        return StoreTimeout(_STORE, "no answer")
    return StoreUnavailable(_STORE, type(error).__name__)


async def _reconnect(pool: AsyncConnectionPool[Connection]) -> None:
    # Starts one attempt to grow, unless one is running. The pool does so only for a new request.
    await pool.check()


def _is_quiet(connection: Connection) -> bool:
    """Whether nothing has arrived on the idle connection: neither its end nor a last message of the server."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def _connection_arguments(options: PoolOptions) -> dict[str, Any]:
    milliseconds = int(options.statement_seconds * 1000)
    return {
        "row_factory": dict_row,
        "connect_timeout": max(2, round(options.connect_seconds)),
        "options": f"-c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout={2 * milliseconds}",
        "tcp_user_timeout": milliseconds,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        # Statements prepared on one server connection are unknown on the next behind PgBouncer's transaction mode.
        "prepare_threshold": None,
        "application_name": "upschedule",
    }
