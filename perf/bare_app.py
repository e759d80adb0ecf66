"""The application that `perf/bench_routes.py` compares the API with: the same framework and server, nothing else.

Its routes ask the Redis server of the environment variable `BARE_REDIS` in four ways: not at all, once, in one round
trip of four commands, and in four round trips.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from litestar import Litestar, get
from litestar.datastructures import State
from redis.asyncio import Redis

COMMANDS = 4


@get("/nothing")
async def nothing() -> dict[str, str]:
    return {"status": "alive"}


@get("/one")
async def one(state: State) -> dict[str, str]:
    await state.redis.get("key")
    return {"status": "alive"}


@get("/pipeline")
async def pipeline(state: State) -> dict[str, str]:
    async with state.redis.pipeline(transaction=False) as commands:
        for number in range(COMMANDS):
            commands.get(f"key{number}")
        await commands.execute()
    return {"status": "alive"}


@get("/four")
async def four(state: State) -> dict[str, str]:
    for number in range(COMMANDS):
        await state.redis.get(f"key{number}")
    return {"status": "alive"}


@asynccontextmanager
async def lifespan(application: Litestar) -> AsyncGenerator[None]:
    application.state.redis = Redis.from_url(os.environ["BARE_REDIS"])
    yield
    await application.state.redis.aclose()


def application() -> Litestar:
    return Litestar([nothing, one, pipeline, four], lifespan=[lifespan], logging_config=None, openapi_config=None)
