"""The fault proxy causes the faults that its methods name."""

import asyncio

import psycopg
import pytest
import redis.asyncio

from tests.support.fault_proxy import FaultProxy
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.valkey import Valkey


def _client(server: Valkey, proxy: FaultProxy, *, socket_timeout: float | None = None) -> redis.asyncio.Redis:
    url = server.url.replace(str(server.port), str(proxy.port))
    return redis.asyncio.Redis.from_url(url, retry=None, socket_timeout=socket_timeout)


async def test_a_refused_server_comes_back_on_the_same_port(valkey_state_server: Valkey) -> None:
    """The test calls refuse() and then restore()."""
    async with FaultProxy(valkey_state_server.port) as proxy, _client(valkey_state_server, proxy) as client:
        assert await client.ping()
        await proxy.refuse()
        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                await client.ping()
        await proxy.restore()
        assert await client.ping()


async def test_a_deaf_server_makes_the_client_time_out(valkey_state_server: Valkey) -> None:
    """After go_deaf(), old and new connections stay open without a byte."""
    async with (
        FaultProxy(valkey_state_server.port) as proxy,
        _client(valkey_state_server, proxy, socket_timeout=0.2) as client,
    ):
        assert await client.ping()
        proxy.go_deaf()
        for _ in range(2):
            with pytest.raises(redis.TimeoutError):
                await client.ping()
        await proxy.restore()
        assert await client.ping()


async def test_a_broken_connection_fails_and_the_next_one_works(postgres_server: Postgres) -> None:
    """A query in progress is reset by break_connections()."""
    async with FaultProxy(postgres_server.port) as proxy:
        dsn = postgres_server.superuser_dsn().replace(str(postgres_server.port), str(proxy.port))
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
            query = asyncio.create_task(conn.execute("SELECT pg_sleep(30)"))
            await asyncio.sleep(0)
            await proxy.break_connections()
            with pytest.raises(psycopg.OperationalError):
                await query
        async with await psycopg.AsyncConnection.connect(dsn) as conn:
            await conn.execute("SELECT 1")
        assert proxy.accepted == 2


async def test_a_delayed_server_answers_late(valkey_state_server: Valkey) -> None:
    """Both request and answer are delayed by delay()."""
    async with FaultProxy(valkey_state_server.port) as proxy, _client(valkey_state_server, proxy) as client:
        await client.ping()
        proxy.delay(0.1)
        begun = asyncio.get_running_loop().time()
        assert await client.ping()
        assert asyncio.get_running_loop().time() - begun >= 0.2
