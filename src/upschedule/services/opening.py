"""Opens the pools and clients of a process and closes them again."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

import msgspec
from redis.asyncio import Redis

from upschedule.accounts.hashing import PasswordHashing
from upschedule.settings import Settings
from upschedule.stores.bucket import BucketAddress
from upschedule.stores.database import Database, PoolOptions
from upschedule.stores.objects import ObjectStore
from upschedule.stores.redis import connect
from upschedule.stores.stream import StreamBroker, StreamName

Role = Literal["api", "worker", "scheduler"]

#: The stream of wake-up messages and the group that reads them.
QUEUE = StreamName(stream="jobs", group="workers")


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """The pools and clients of a process, open."""

    database: Database
    redis_state: Redis
    redis_cache: Redis
    objects: ObjectStore
    broker: StreamBroker
    hashing: PasswordHashing


@asynccontextmanager
async def open_stores(settings: Settings, *, role: Role) -> AsyncGenerator[Stores]:
    """Waits for no server: readiness tells which of them answer. What was opened is closed in the reverse order."""
    async with AsyncExitStack() as opened:
        database = Database(settings.postgres.url, _pool_options(settings, role))
        await database.open()
        opened.push_async_callback(database.close)
        redis_state = _redis(settings, settings.redis.state_url)
        opened.push_async_callback(redis_state.aclose)
        redis_cache = _redis(settings, settings.redis.cache_url)
        opened.push_async_callback(redis_cache.aclose)
        objects = _objects(settings)
        opened.callback(objects.close)
        broker = _broker(settings)
        await broker.startup()
        opened.push_async_callback(broker.shutdown)
        hashing = PasswordHashing()
        opened.callback(hashing.close)
        yield Stores(
            database=database,
            redis_state=redis_state,
            redis_cache=redis_cache,
            objects=objects,
            broker=broker,
            hashing=hashing,
        )


def _pool_options(settings: Settings, role: Role) -> PoolOptions:
    postgres = settings.postgres
    background = role != "api"
    return PoolOptions(
        size_min=postgres.worker_pool_size_min if background else postgres.pool_size_min,
        size_max=postgres.worker_pool_size_max if background else postgres.pool_size_max,
        waiting_max=postgres.pool_waiting_max,
        wait_seconds=postgres.wait_seconds,
        statement_seconds=postgres.statement_seconds,
        connect_seconds=postgres.connect_seconds,
    )


def _redis(settings: Settings, url: str) -> Redis:
    return connect(url, command_seconds=settings.redis.command_seconds, connections_max=settings.redis.connections_max)


def _objects(settings: Settings) -> ObjectStore:
    objects = settings.objects
    return ObjectStore(
        BucketAddress(
            endpoint=objects.endpoint,
            access_key=objects.access_key,
            secret_key=objects.secret_key,
            bucket=objects.bucket,
            secure=objects.secure,
            region=objects.region,
        ),
        request_seconds=objects.request_seconds,
        concurrency_max=objects.concurrency_max,
    )


def _broker(settings: Settings) -> StreamBroker:
    return StreamBroker(
        settings.redis.state_url,
        name=QUEUE,
        messages_max=settings.jobs.messages_max,
        command_seconds=settings.redis.command_seconds,
        connections_max=settings.redis.connections_max,
    )
