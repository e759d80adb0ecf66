"""PostgreSQL behind the pool: deadlines, exhaustion, restarts, and broken or silent connections."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import msgspec
import psycopg
import pytest
from psycopg.pq import TransactionStatus

from tests.support.fault_proxy import FaultProxy
from tests.support.services import until
from upschedule.operations.embedded.postgres import Postgres
from upschedule.stores.database import Database, PoolOptions
from upschedule.stores.errors import PoolExhausted, StoreError, StoreTimeout, StoreUnavailable

Step = Callable[[], Awaitable[None]]
OPTIONS = PoolOptions(
    size_min=1, size_max=2, waiting_max=10, wait_seconds=1.0, statement_seconds=0.5, connect_seconds=0.5
)


@asynccontextmanager
async def a_database(dsn: str, **options: float) -> AsyncGenerator[Database]:
    database = Database(dsn, msgspec.structs.replace(OPTIONS, **options))
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def through(dsn: str, proxy: FaultProxy) -> str:
    return dsn.replace(f":{proxy.upstream_port}/", f":{proxy.port}/")


def port_of(dsn: str) -> int:
    return int(dsn.rsplit(":", 1)[1].split("/", maxsplit=1)[0])


async def hold(database: Database, held: asyncio.Event, release: asyncio.Event) -> None:
    async with database.transaction():
        held.set()
        await release.wait()


async def test_a_statement_longer_than_its_limit_is_ended_by_the_server(postgres_dsn: str) -> None:
    """R3.2 requires a time limit for statements."""
    async with a_database(postgres_dsn) as database:
        with pytest.raises(StoreTimeout):
            await _sleep(database, seconds=600)
        await database.ping()


async def test_a_request_waits_for_a_connection_and_gets_the_one_that_comes_free(postgres_dsn: str) -> None:
    """R3.5 requires that requests wait."""
    async with a_database(postgres_dsn, size_max=1) as database:
        held, release = asyncio.Event(), asyncio.Event()
        holder = asyncio.create_task(hold(database, held, release))
        await held.wait()
        waiting = asyncio.create_task(database.ping())

        async def queued() -> bool:
            return database.statistics().get("requests_waiting", 0) == 1

        await until(queued)
        release.set()
        await asyncio.gather(holder, waiting)


async def test_a_request_that_waits_too_long_for_a_connection_is_refused(postgres_dsn: str) -> None:
    """R3.3 and R3.5 limit the wait."""
    async with a_database(postgres_dsn, size_max=1) as database:
        held, release = asyncio.Event(), asyncio.Event()
        holder = asyncio.create_task(hold(database, held, release))
        await held.wait()
        started = time.monotonic()
        with pytest.raises(PoolExhausted):
            await database.ping()
        assert time.monotonic() - started > 0.9
        release.set()
        await holder
        await database.ping()


async def test_more_waiting_requests_than_the_queue_holds_are_refused_at_once(postgres_dsn: str) -> None:
    """R3.5 limits the number of waiting requests."""
    async with a_database(postgres_dsn, size_max=1, waiting_max=3) as database:
        held, release = asyncio.Event(), asyncio.Event()
        holder = asyncio.create_task(hold(database, held, release))
        await held.wait()
        outcomes = [asyncio.create_task(database.ping()) for _ in range(5)]
        done, waiting = await asyncio.wait(outcomes, timeout=0.5)
        assert (len(done), len(waiting)) == (2, 3)
        assert all(isinstance(task.exception(), PoolExhausted) for task in done)
        release.set()
        await asyncio.gather(holder, *waiting)


async def test_an_error_rolls_everything_back(postgres_dsn: str) -> None:
    async with a_database(postgres_dsn) as database:
        with pytest.raises(ZeroDivisionError):
            await _insert(database, then=_fail)
        async with database.transaction() as connection:
            row = await (await connection.execute("SELECT count(*) AS rows FROM accounts")).fetchone()
        assert row == {"rows": 0}


async def test_a_silent_server_costs_a_bounded_time_and_is_found_again(postgres_dsn: str) -> None:
    """R3.2 requires a time limit even without an answer."""
    async with FaultProxy(port_of(postgres_dsn)) as proxy, a_database(through(postgres_dsn, proxy)) as database:
        await database.ping()
        with pytest.raises(StoreTimeout):
            await _insert(database, first=_sync(proxy.go_deaf))
        with pytest.raises(StoreError):
            await database.ping()
        await proxy.restore()
        await until(lambda: _answers(database))


async def test_a_commit_without_an_answer_is_an_error(postgres_dsn: str) -> None:
    async with FaultProxy(port_of(postgres_dsn)) as proxy, a_database(through(postgres_dsn, proxy)) as database:
        with pytest.raises(StoreTimeout):
            await _insert(database, then=_sync(proxy.go_deaf))
        await proxy.restore()


async def test_cancelling_a_request_at_a_silent_server_does_not_hang(postgres_dsn: str) -> None:
    async with FaultProxy(port_of(postgres_dsn)) as proxy, a_database(through(postgres_dsn, proxy)) as database:
        await database.ping()
        proxy.go_deaf()
        asked = asyncio.create_task(database.ping())
        await asyncio.wait({asked}, timeout=0.2)
        asked.cancel()
        # First, psycopg asks the same server for 5 seconds to cancel the statement.
        done, _ = await asyncio.wait({asked}, timeout=12)
        assert done
        await proxy.restore()


async def test_connections_broken_while_idle_are_replaced_unseen(postgres_dsn: str) -> None:
    dsn = postgres_dsn
    async with FaultProxy(port_of(dsn)) as proxy, a_database(through(dsn, proxy), wait_seconds=10) as database:
        await database.ping()
        await proxy.break_connections()
        await database.ping()


async def test_a_connection_broken_in_use_is_an_error_and_the_next_request_works(postgres_dsn: str) -> None:
    async with FaultProxy(port_of(postgres_dsn)) as proxy, a_database(through(postgres_dsn, proxy)) as database:
        with pytest.raises(StoreUnavailable):
            await _insert(database, first=proxy.break_connections)
        await until(lambda: _answers(database))


@pytest.mark.parametrize(("step", "after"), [("transaction", b"BEGIN\0"), ("reading", b"SELECT 1\0")])
async def test_a_server_lost_between_two_messages_of_one_answer_is_an_error_and_the_next_request_works(
    postgres_dsn: str, step: str, after: bytes
) -> None:
    """PgBouncer appends its error to the part of the answer that it has sent, and libpq then reports two results."""
    fields = b"SFATAL\0VFATAL\0C08P01\0Mserver conn crashed?\0\0"
    error = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields
    async with FaultProxy(port_of(postgres_dsn)) as proxy, a_database(through(postgres_dsn, proxy)) as database:
        lent = database.transaction if step == "transaction" else database.reading
        await database.ping()
        proxy.interrupt(after=after, by=error)
        with pytest.raises(StoreUnavailable):
            async with lent() as connection:
                await connection.execute("SELECT 1")
        await database.ping()


async def test_a_connection_that_was_used_for_reading_serves_transactions_again(postgres_dsn: str) -> None:
    """Both kinds take connections from one pool, here the same one."""
    async with a_database(postgres_dsn, size_max=1) as database:
        for statement in ("SELECT 1", "SELECT 1 / 0"):
            with suppress(psycopg.errors.DivisionByZero):
                async with database.reading() as connection:
                    await connection.execute(statement)
                    assert connection.info.transaction_status is TransactionStatus.IDLE
            async with database.transaction() as connection:
                await connection.execute("SELECT 1")
                assert connection.info.transaction_status is TransactionStatus.INTRANS


async def test_a_reading_that_is_cancelled_gives_its_connection_back(postgres_dsn: str) -> None:
    async with a_database(postgres_dsn, size_max=1, statement_seconds=60) as database:
        began = asyncio.Event()

        async def read() -> None:
            async with database.reading() as connection:
                began.set()
                await connection.execute("SELECT pg_sleep(60)")

        task = asyncio.create_task(read())
        await began.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        async with database.transaction() as connection:
            await connection.execute("SELECT 1")
            assert connection.info.transaction_status is TransactionStatus.INTRANS


async def test_a_restarted_server_is_found_again(private_postgres: Callable[..., Postgres]) -> None:
    server = private_postgres()
    async with a_database(server.superuser_dsn()) as database:
        await database.ping()
        await asyncio.to_thread(server.stop)
        with pytest.raises(StoreError):
            await database.ping()
        await asyncio.to_thread(server.start)
        await until(lambda: _answers(database))


async def test_a_full_pool_whose_server_was_killed_answers_again(private_postgres: Callable[..., Postgres]) -> None:
    """Every request is answered once the server is back (R3.5). `perf/recovery.py` measures the time."""
    server = private_postgres()
    pool = {"size_min": 20, "size_max": 30, "waiting_max": 1000, "wait_seconds": 30}
    async with a_database(server.superuser_dsn(), **pool) as database:

        async def full() -> bool:
            return database.statistics()["pool_available"] == 20

        await until(full)
        await asyncio.to_thread(server.kill)
        waiting = [asyncio.create_task(database.ping()) for _ in range(100)]
        await asyncio.to_thread(server.start)
        await until(lambda: _answers(database))
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        # A request that had a connection when the server died may fail, and no other one does.
        assert all(outcome is None or isinstance(outcome, StoreUnavailable) for outcome in outcomes)
        await asyncio.gather(*(database.ping() for _ in range(100)))


async def _answers(database: Database) -> bool:
    await database.ping()
    return True


async def _sleep(database: Database, *, seconds: float) -> None:
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_sleep(%s)", [seconds])


async def _insert(database: Database, *, first: Step | None = None, then: Step | None = None) -> None:
    async with database.transaction() as connection:
        if first:
            await first()
        await connection.execute("INSERT INTO accounts DEFAULT VALUES")
        if then:
            await then()


def _sync(step: Callable[[], None]) -> Step:
    async def run() -> None:
        step()

    return run


async def _fail() -> None:
    raise ZeroDivisionError
