"""What the state Redis and PostgreSQL hold of failures and passwords (R8.5)."""

from collections.abc import AsyncIterator

import httpx
import psycopg
import pytest
from argon2 import PasswordHasher
from redis.asyncio import Redis

from tests.integration.web.conftest import NewClient, StartApi
from tests.servers import Database
from upschedule.accounts.errors import SignInBlocked
from upschedule.accounts.throttle import SignInBounds, SignInThrottle
from upschedule.stores.redis import connect

BOUNDS = SignInBounds(failures_max=5, block_seconds=900)


@pytest.fixture
async def redis_state(redis_state_url: str) -> AsyncIterator[Redis]:
    client = connect(redis_state_url, command_seconds=5, connections_max=4)
    yield client
    await client.aclose()


async def test_a_block_lasts_its_whole_time_from_the_fifth_failure(redis_state: Redis) -> None:
    """Not from the first; and attempts while it lasts do not prolong it (R8.5)."""
    throttle = SignInThrottle(redis_state, bounds=lambda: BOUNDS)
    for _ in range(4):
        await throttle.reserve(client="192.0.2.1")
    (key,) = await redis_state.keys("*")
    await redis_state.expire(key, 10)
    await throttle.reserve(client="192.0.2.1")
    assert await redis_state.ttl(key) > 890

    await redis_state.expire(key, 7)
    with pytest.raises(SignInBlocked) as blocked:
        await throttle.reserve(client="192.0.2.1")
    assert blocked.value.retry_after_seconds <= 7
    assert await redis_state.ttl(key) <= 7


async def test_failures_are_kept_under_no_address_of_a_person(redis_state: Redis) -> None:
    throttle = SignInThrottle(redis_state, bounds=lambda: BOUNDS)
    await throttle.reserve(client="192.0.2.1", email="student@example.org")

    assert not [key for key in await redis_state.keys("*") if b"student" in key]


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
