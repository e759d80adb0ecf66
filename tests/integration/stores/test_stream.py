"""The broker on a Redis stream keeps messages that the standard one loses."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from taskiq import AckableMessage
from taskiq.kicker import AsyncKicker
from taskiq.utils import maybe_awaitable

from tests.support.fault_proxy import FaultProxy
from tests.support.services import until
from upschedule.operations.embedded.valkey import STATE, Valkey, ValkeyUse
from upschedule.stores.stream import StreamBroker, StreamName

NAME = StreamName(stream="s", group="g")


@asynccontextmanager
async def a_broker(url: str, *, tasks: tuple[str, ...] = ("known",)) -> AsyncGenerator[StreamBroker]:
    broker = StreamBroker(url, name=NAME, messages_max=200, command_seconds=0.5, connections_max=4)
    for task in tasks:
        broker.register_task(lambda _: None, task_name=task)
    await broker.startup()
    try:
        yield broker
    finally:
        await broker.shutdown()


async def send(broker: StreamBroker, argument: str, *, task: str = "known") -> None:
    await AsyncKicker(task_name=task, broker=broker, labels={}).kiq(argument)


async def receive(broker: StreamBroker, messages: AsyncGenerator[AckableMessage]) -> str:
    async with asyncio.timeout(10):
        message = await anext(messages)
    await maybe_awaitable(message.ack())
    return broker.formatter.loads(message=message.data).args[0]


async def test_what_was_sent_before_the_first_worker_came_is_delivered(redis_state_url: str) -> None:
    async with a_broker(redis_state_url) as broker:
        await send(broker, "early")
        assert await receive(broker, broker.listen()) == "early"


async def test_a_received_message_leaves_the_stream(redis_state_url: str) -> None:
    """The stream stays short (R2.4)."""
    async with a_broker(redis_state_url) as broker, Redis.from_url(redis_state_url) as redis:
        await send(broker, "one")
        await receive(broker, broker.listen())
        assert await redis.xlen("s") == 0
        assert (await redis.xpending("s", "g"))["pending"] == 0


async def test_a_worker_takes_no_more_than_it_asked_for(redis_state_url: str) -> None:
    async with a_broker(redis_state_url) as one, a_broker(redis_state_url) as other:
        await send(one, "first")
        await send(one, "second")
        assert await receive(one, one.listen()) == "first"
        assert await receive(other, other.listen()) == "second"


async def test_messages_that_are_not_taken_are_bounded(redis_state_url: str) -> None:
    """The oldest are removed. Redis trims whole nodes of a hundred entries, so slightly more than the limit stays."""
    async with a_broker(redis_state_url) as broker, Redis.from_url(redis_state_url) as redis:
        for number in range(600):
            await send(broker, str(number))
        assert 200 <= await redis.xlen("s") <= 300


async def test_garbage_is_removed_and_the_next_message_delivered(redis_state_url: str) -> None:
    async with a_broker(redis_state_url) as broker, Redis.from_url(redis_state_url) as redis:
        unreadable: list[tuple[str, bytes]] = [
            ("data", b"\xff\x00"),
            ("other", b"x"),
            ("data", b"{}"),
            ("data", b'{"task_name": 3}'),
        ]
        for name, value in unreadable:
            await redis.xadd("s", {name: value})
        await send(broker, "good")
        assert await receive(broker, broker.listen()) == "good"
        assert await redis.xlen("s") == 0


async def test_a_message_for_an_unknown_task_is_left_for_a_newer_worker(redis_state_url: str) -> None:
    async with a_broker(redis_state_url) as old, Redis.from_url(redis_state_url) as redis:
        await send(old, "new thing", task="newer")
        await send(old, "old thing")
        assert await receive(old, old.listen()) == "old thing"
        entry = (await redis.xpending_range("s", "g", min="-", max="+", count=10))[0]["message_id"]
        # This makes the message look as if the old worker ignored it for a minute.
        await redis.xclaim("s", "g", old.consumer_name, 0, [entry], idle=61_000, justid=True)
        async with a_broker(redis_state_url, tasks=("known", "newer")) as new:
            assert await receive(new, new.listen()) == "new thing"
        assert await redis.xlen("s") == 0


async def test_listening_survives_a_flush(redis_state_url: str) -> None:
    async with a_broker(redis_state_url) as broker, Redis.from_url(redis_state_url) as redis:
        await send(broker, "before")
        messages = broker.listen()
        assert await receive(broker, messages) == "before"
        listening = asyncio.create_task(receive(broker, messages))
        await redis.flushall()
        await send(broker, "after")
        assert await listening == "after"


async def test_listening_survives_a_restart(private_valkey: Callable[[ValkeyUse], Valkey]) -> None:
    """Messages from before the restart are in the append-only file (R4.4)."""
    server = private_valkey(STATE)
    async with a_broker(server.url) as broker:
        messages = broker.listen()
        await send(broker, "before")
        assert await receive(broker, messages) == "before"
        await send(broker, "kept")
        await asyncio.to_thread(server.stop)
        listening = asyncio.create_task(receive(broker, messages))
        await asyncio.to_thread(server.start)
        assert await listening == "kept"


async def test_listening_survives_broken_and_silent_wires(redis_state_url: str) -> None:
    port = int(redis_state_url.rsplit(":", 1)[1].split("/", maxsplit=1)[0])
    async with (
        FaultProxy(port) as proxy,
        a_broker(redis_state_url) as sender,
        a_broker(redis_state_url.replace(str(port), str(proxy.port))) as broker,
    ):
        messages = broker.listen()
        await send(sender, "one")
        assert await receive(broker, messages) == "one"
        listening = asyncio.create_task(receive(broker, messages))
        await proxy.break_connections()
        await send(sender, "two")
        assert await listening == "two"
        listening = asyncio.create_task(receive(broker, messages))
        accepted = proxy.accepted
        proxy.go_deaf()

        async def tried_again() -> bool:
            return proxy.accepted > accepted

        await until(tried_again)
        await proxy.restore()

        async def delivered() -> bool:
            # Redis may deliver one to the connection that no longer answers, so the sender has to repeat it.
            await send(sender, "three")
            return listening.done()

        await until(delivered)
        assert await listening == "three"
