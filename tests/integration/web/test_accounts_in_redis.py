"""The contents of the state Redis and PostgreSQL about failures and passwords (R8.5)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from argon2 import PasswordHasher
from redis.asyncio import Redis

from tests.integration.web.conftest import NewClient, StartApi
from tests.support.servers import Database
from upschedule.accounts.errors import SignInBlocked
from upschedule.accounts.throttle import SignInThrottle
from upschedule.settings import LimitSettings
from upschedule.stores.redis import connect

LIMITS = LimitSettings(sign_in_failures_max=5, sign_in_block_seconds=900)


@pytest.fixture
async def redis_state(redis_state_url: str) -> AsyncIterator[Redis]:
    client = connect(redis_state_url, command_seconds=5, connections_max=4)
    yield client
    await client.aclose()


async def _fail(throttle: SignInThrottle, *, device: bytes | None = None) -> None:
    await throttle.failed(
        await throttle.begin(client="192.0.2.1", email="student@example.org", device=device, limits=LIMITS),
        limits=LIMITS,
    )


async def test_a_block_lasts_its_whole_time_from_the_fifth_failure(redis_state: Redis) -> None:
    """The time starts with the fifth failure, and attempts during the block do not prolong it (R8.5)."""
    throttle = SignInThrottle(redis_state)
    for _ in range(4):
        await _fail(throttle)
    for key in await redis_state.keys("*"):
        await redis_state.expire(key, 10)
    await _fail(throttle)
    keys = await redis_state.keys("*")
    assert len(keys) == 2
    assert min([await redis_state.ttl(key) for key in keys]) > 890

    for key in keys:
        await redis_state.expire(key, 7)
    with pytest.raises(SignInBlocked) as blocked:
        await _fail(throttle)
    assert blocked.value.retry_after_seconds <= 7
    await _fail(throttle, device=b"known")
    assert max([await redis_state.ttl(key) for key in keys]) <= 7


async def test_failures_are_kept_under_no_address_of_a_person(redis_state: Redis) -> None:
    throttle = SignInThrottle(redis_state)
    await throttle.begin(client="192.0.2.1", email="student@example.org", limits=LIMITS)

    keys: list[Any] = await redis_state.keys("*")
    assert not [key for key in keys if b"student" in key]


async def test_an_attempt_whose_process_died_is_forgotten(redis_state: Redis) -> None:
    """It counts as in progress for half a minute, and not as a failure."""
    throttle = SignInThrottle(redis_state)
    for _ in range(5):
        await throttle.begin(client="192.0.2.1", email="student@example.org", limits=LIMITS)
    ages = [await redis_state.ttl(key) for key in await redis_state.keys("*")]
    seventh = asyncio.create_task(throttle.begin(client="192.0.2.1", email="student@example.org", limits=LIMITS))
    await asyncio.sleep(0)
    for key in await redis_state.keys("*"):
        await redis_state.delete(key)
    await seventh

    assert len(ages) == 2
    assert 0 < min(ages) <= max(ages) <= 30


def test_an_outdated_hash_is_replaced_at_the_next_sign_in(
    start_api: StartApi, new_client: NewClient, database: Database
) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8192).hash("correct horse")
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO accounts (email, password_hash) VALUES ('a@example.org', %s)", (old,))
        answer: httpx.Response = new_client(start_api()).post(
            "/api/v1/sessions", json={"email": "a@example.org", "password": "correct horse"}
        )
        row = connection.execute("SELECT password_hash FROM accounts").fetchone()

    assert answer.status_code == 201
    assert row is not None
    assert row[0] != old
    assert PasswordHasher().verify(row[0], "correct horse")
