"""Queries to faulty Consul agents: each fault becomes a StoreError within the configured time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from upschedule.settings import ConsulSettings
from upschedule.stores.consul import ConsulKeys
from upschedule.stores.errors import StoreError, StoreTimeout, StoreUnavailable

REQUEST_SECONDS = 0.5


@asynccontextmanager
async def agent(answer: bytes | None) -> AsyncGenerator[ConsulKeys]:
    """Keys behind a server that sends these bytes to each request and closes. With None it sends nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = ConsulSettings(
            address=f"http://127.0.0.1:{port}", request_seconds=REQUEST_SECONDS, answer_bytes_max=1024
        )
        async with ConsulKeys(settings, prefix="upschedule/settings/") as keys:
            yield keys
        # The handlers finish before the event loop closes.
        await asyncio.sleep(0.05)


def http(body: bytes, *, status: str = "200 OK", headers: str = "X-Consul-Index: 7") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n\r\n".encode() + body


async def test_the_keys_come_with_the_index_of_the_answer() -> None:
    """Folders, which have no value, are left out. An empty value is kept as an empty one."""
    body = (
        b'[{"Key": "a/", "Value": null, "ModifyIndex": 5}, {"Key": "a/b", "Value": "MTI=", "ModifyIndex": 6},'
        b' {"Key": "a/c", "Value": null, "ModifyIndex": 7}]'
    )
    async with agent(http(body)) as keys:
        index, entries = await keys.read()

    assert index == 7
    assert [(entry.key, entry.value, entry.modify_index) for entry in entries] == [("a/b", b"12", 6), ("a/c", b"", 7)]


async def test_no_keys_are_an_answer() -> None:
    async with agent(http(b"", status="404 Not Found")) as keys:
        assert await keys.read(after=3) == (7, ())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(http(b"ACL not found", status="403 Forbidden"), "status 403", id="forbidden"),
        pytest.param(http(b"no leader", status="500 Internal Server Error"), "status 500", id="no leader"),
        pytest.param(http(b"", status="302 Found", headers="Location: http://127.0.0.1:1/"), "status 302", id="moved"),
        pytest.param(http(b"[" + b" " * 2000 + b"]"), "1024 bytes", id="too large"),
        pytest.param(
            http(b"[]", headers="X-Consul-Index: 7\r\nX-Consul-Results-Filtered-By-ACLs: true"), "token", id="filtered"
        ),
        pytest.param(http(b"[]", headers="X-Other: 7"), "ConsulException", id="no index"),
        pytest.param(http(b"[]", headers="X-Consul-Index: seven"), "ValueError", id="index of letters"),
        pytest.param(http(b"<html>"), "ConsulException", id="not JSON"),
        pytest.param(http(b'{"a": 1}'), "AttributeError", id="no list"),
        pytest.param(http(b"{}"), "ValidationError", id="an empty object"),
        pytest.param(http(b'""'), "ValidationError", id="an empty text"),
        pytest.param(http(b'[{"Key": 1}]'), "ValidationError", id="another shape"),
        pytest.param(http(b'[{"Key": "a", "Value": "MTI", "ModifyIndex": 1}]'), "Error", id="not base64"),
        pytest.param(http(b"\xff"), "UnicodeDecodeError", id="not UTF-8"),
        pytest.param(b"nonsense\r\n\r\n", "", id="not HTTP"),
        pytest.param(b"", "", id="nothing"),
    ],
)
async def test_an_answer_that_is_none_counts_as_an_absence(answer: bytes, reason: str) -> None:
    """The watch then keeps its values and sends the query again."""
    async with agent(answer) as keys:
        with pytest.raises(StoreUnavailable) as raised:
            await keys.read()

    assert reason in raised.value.reason


async def test_a_silent_agent_is_given_up_in_time() -> None:
    """The deadline is that of one request. A held query would have its own time in addition."""
    async with agent(None) as keys:
        with pytest.raises(StoreTimeout):
            async with asyncio.timeout(4 * REQUEST_SECONDS):
                await keys.read()


async def test_a_held_query_is_cancelled_at_once() -> None:
    """A process that is asked to stop does not wait for the agent."""
    async with agent(None) as keys:
        query = asyncio.create_task(keys.read(after=7))
        await asyncio.sleep(0.1)
        query.cancel()
        # The agent would hold the query for minutes.
        async with asyncio.timeout(30):
            with pytest.raises(asyncio.CancelledError):
                await query


async def test_the_environment_changes_neither_way_nor_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy or another Consul address may be set for command-line programs."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("CONSUL_HTTP_ADDR", "http://127.0.0.1:1")
    monkeypatch.setenv("CONSUL_HTTP_SSL", "true")
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await received.put(await reader.readuntil(b"\r\n\r\n"))
        writer.write(http(b"[]"))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "of-the-environment")
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for token in ("of-the-settings", None):
            async with ConsulKeys(ConsulSettings(address=address, token=token), prefix="a/") as keys:
                await keys.read()
        await asyncio.sleep(0.05)

    first, second = received.get_nowait(), received.get_nowait()
    assert first.startswith(b"GET /v1/kv/a/?recurse=1 ")
    assert b"x-consul-token: of-the-settings\r\n" in first.lower()
    assert b"x-consul-token" not in second.lower()


async def test_an_address_that_is_none_is_an_absence() -> None:
    async with ConsulKeys(ConsulSettings(address="http://127.0.0.1:letters"), prefix="a/") as keys:
        with pytest.raises(StoreError):
            await keys.read()
