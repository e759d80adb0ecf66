"""The services as a process has them, on the servers of a test."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID, uuid4

import msgspec

from upschedule.processing.job import JobStatus
from upschedule.services import LiveSettings, Role, Services, open_services
from upschedule.settings.loading import load
from upschedule.stores.bucket import BucketAddress
from upschedule.stores.errors import StoreError

T = TypeVar("T")


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses of the servers. A test may put a proxy in front of each."""

    postgres_dsn: str
    redis_state_url: str
    redis_cache_url: str
    objects: BucketAddress
    objects_endpoint: str | None = None

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a process. The names in `more` have no prefix."""
        return {
            "UPSCHEDULE_POSTGRES_URL": self.postgres_dsn,
            "UPSCHEDULE_POSTGRES_POOL_SIZE_MIN": "2",
            "UPSCHEDULE_POSTGRES_POOL_SIZE_MAX": "20",
            "UPSCHEDULE_REDIS_STATE_URL": self.redis_state_url,
            "UPSCHEDULE_REDIS_CACHE_URL": self.redis_cache_url,
            "UPSCHEDULE_OBJECTS_ENDPOINT": self.objects_endpoint or self.objects.endpoint,
            "UPSCHEDULE_OBJECTS_ACCESS_KEY": self.objects.access_key,
            "UPSCHEDULE_OBJECTS_SECRET_KEY": self.objects.secret_key,
            "UPSCHEDULE_OBJECTS_BUCKET": self.objects.bucket,
            "UPSCHEDULE_WEB_FEED_SECRET": "for tests, and longer than thirty-two characters",
        } | {f"UPSCHEDULE_{name}": value for name, value in (more or {}).items()}


@asynccontextmanager
async def opened(
    addresses: Addresses, *, role: Role = "api", settings: Mapping[str, str] | None = None
) -> AsyncGenerator[Services]:
    async with open_services(LiveSettings(load(addresses.environment(settings))), role=role) as services:
        yield services


async def new_account(services: Services) -> UUID:
    async with services.database.transaction() as connection:
        cursor = await connection.execute("INSERT INTO accounts DEFAULT VALUES RETURNING id")
        row = await cursor.fetchone()
    assert row is not None
    return row["id"]


def a_document(text: str | None = None) -> bytes:
    """Bytes that pass for a PDF at the door, different each time; the readers of tests know what to do with them."""
    return b"%PDF-1.7\n" + (text or f"plain {uuid4()}").encode()


async def until(condition: Callable[[], Awaitable[T]], *, timeout_seconds: float = 100.0) -> T:
    """What `condition` gives once it is true; a store that is away counts as not yet."""
    deadline = time.monotonic() + timeout_seconds
    found: object = None
    while time.monotonic() < deadline:
        try:
            found = await condition()
        except StoreError as error:
            found = error
        else:
            if found:
                return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"not true within {timeout_seconds} s; at last: {found}")


async def until_final(
    services: Services, account_id: UUID, job_id: UUID, *, timeout_seconds: float = 100.0
) -> JobStatus:
    async def final() -> JobStatus | None:
        status = await services.jobs.status(account_id, job_id)
        return status if status.is_final else None

    ended = await until(final, timeout_seconds=timeout_seconds)
    assert ended is not None
    return ended
