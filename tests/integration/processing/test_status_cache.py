"""The status cache: what it contains, for how long, and that it never contradicts PostgreSQL."""

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from tests.support.fault_proxy import FaultProxy
from tests.support.job_rows import an_extraction, change, claimed, queued, read
from tests.support.services import Addresses, new_account, opened
from upschedule.processing.errors import JobNotFound
from upschedule.processing.job import Status
from upschedule.processing.runs import RunRepository
from upschedule.processing.status_cache import StatusCache


def a_cache(redis: Redis) -> StatusCache:
    return StatusCache(redis, final_seconds=3600, pending_seconds=60)


async def test_a_pending_status_is_kept_a_minute_and_a_final_one_an_hour(addresses: Addresses) -> None:
    """R4.1 and R4.2 define the times."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        pending = await queued(services, account_id)
        run = await claimed(services, account_id)
        async with services.database.transaction() as connection:
            final = await RunRepository(connection).complete(run, an_extraction("COS132"), reader_version="1")
        assert final is not None
        for job in (pending, final):
            await services.jobs.status(account_id, job.id)
        assert 50 < await services.redis_cache.ttl(f"job:{pending.id}") <= 60
        assert 3500 < await services.redis_cache.ttl(f"job:{final.id}") <= 3600


async def test_a_cached_status_is_answered_without_postgresql(addresses: Addresses) -> None:
    """R4.1 requires the cache."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        run = await claimed(services, account_id)
        first = await services.jobs.status(account_id, run.id)
        await change(services, run.id, pages_read="7")
        assert await services.jobs.status(account_id, run.id) == first


async def test_a_slow_reader_does_not_bring_an_old_status_back(addresses: Addresses) -> None:
    """The cache compares versions (R4.5)."""
    async with opened(addresses) as services:
        old = await queued(services, await new_account(services))
        new = msgspec.structs.replace(old, version=old.version + 1, status=Status.PROCESSING)
        cache = a_cache(services.redis_cache)
        await cache.put(new)
        await cache.put(old)
        assert await cache.get(old.id) == new
        await cache.forget(old.id)
        await cache.put(new)
        assert await cache.get(old.id) is None


async def test_a_deleted_jobs_status_is_gone_at_once(addresses: Addresses) -> None:
    """R4.5 requires the invalidation."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        job = await queued(services, account_id, object_key="NULL, stored_at = NULL")
        await services.jobs.status(account_id, job.id)
        await services.jobs.delete(account_id, job.id)
        with pytest.raises(JobNotFound):
            await services.jobs.status(account_id, job.id)


@pytest.mark.parametrize("fault", ["refusing", "deaf"])
async def test_without_the_cache_the_status_comes_from_postgresql(addresses: Addresses, fault: str) -> None:
    """The cache is optional (R4.1)."""
    port = int(addresses.redis_cache_url.rsplit(":", 1)[1].split("/")[0])
    async with FaultProxy(port) as proxy:
        proxied = addresses.redis_cache_url.replace(str(port), str(proxy.port))
        async with opened(msgspec.structs.replace(addresses, redis_cache_url=proxied)) as services:
            account_id = await new_account(services)
            job = await claimed(services, account_id)
            await services.jobs.status(account_id, job.id)
            if fault == "deaf":
                proxy.go_deaf()
            else:
                await proxy.refuse()
            await change(services, job.id, pages_read="3", version="version + 1")
            async with asyncio.timeout(60):
                answers = [await services.jobs.status(account_id, job.id) for _ in range(4)]
            assert [answer.pages_read for answer in answers] == [3, 3, 3, 3]
            await proxy.restore()


async def test_an_entry_of_another_shape_counts_as_none(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        job = await queued(services, account_id)
        await services.redis_cache.hset(f"job:{job.id}", mapping={"version": 1, "job": b'{"id": "old"}'})
        assert (await services.jobs.status(account_id, job.id)).id == job.id
        assert (await read(services, job.id)).id == job.id
