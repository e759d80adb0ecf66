"""Following the status of a job as it changes."""

import asyncio
import inspect
from collections.abc import AsyncGenerator

import msgspec
from redis.asyncio import Redis

from tests.support.fault_proxy import FaultProxy
from tests.support.job_rows import an_extraction, change, queued
from tests.support.services import Addresses, new_account, opened, until
from upschedule.processing.job import Job, JobStatus, Status
from upschedule.processing.queue import Queue
from upschedule.processing.runs import RunRepository
from upschedule.processing.service import JobService
from upschedule.processing.shares import ShareOptions
from upschedule.processing.status_cache import StatusCache
from upschedule.processing.status_events import StatusBroadcaster
from upschedule.services import Services

ANY_SHARES = ShareOptions(quick_seconds=1, slow_seconds=10, half_life_seconds=600)


def a_broadcaster(redis: Redis) -> StatusBroadcaster:
    return StatusBroadcaster(redis, StatusCache(redis, final_seconds=60, pending_seconds=60))


def jobs_that_read_once_an_hour(services: Services) -> JobService:
    """The service of the API, but its watch depends on events, since it reads the row only once an hour."""
    return JobService(
        database=services.database,
        objects=services.objects,
        cache=StatusCache(services.redis_cache, final_seconds=60, pending_seconds=60),
        broadcaster=services.broadcaster,
        queue=Queue(services.database, settings=services.settings.jobs, shares=ANY_SHARES),
        poll_seconds=3600.0,
    )


async def claim_and_announce(services: Services, sender: StatusBroadcaster, job: Job) -> Job:
    async with services.database.transaction() as connection:
        run = await RunRepository(connection).claim(job.id, lease_seconds=60)
    assert run is not None
    await sender.changed(run)
    return run


async def complete_and_announce(services: Services, sender: StatusBroadcaster, run: Job) -> None:
    async with services.database.transaction() as connection:
        completed = await RunRepository(connection).complete(run, an_extraction("COS132"), reader_version="1")
    assert completed is not None
    await sender.changed(completed)


async def next_status(stream: AsyncGenerator[JobStatus], *, seconds: float = 5) -> JobStatus:
    async with asyncio.timeout(seconds):
        return await anext(stream)


async def test_every_change_is_delivered_up_to_the_final_one(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        sender = a_broadcaster(services.redis_cache)
        ahead, job = await queued(services, account_id), await queued(services, account_id)
        stream = services.jobs.watch(account_id, job.id)
        first = await next_status(stream)
        assert (first.status, first.position) == (Status.QUEUED, 2)
        await claim_and_announce(services, sender, ahead)
        assert (await next_status(stream)).position == 1
        run = await claim_and_announce(services, sender, job)
        assert (await next_status(stream)).status is Status.PROCESSING
        async with services.database.transaction() as connection:
            progressed = await RunRepository(connection).progress(run, pages_read=1, pages=2)
        assert progressed is not None
        await sender.changed(progressed)
        assert (await next_status(stream)).pages_read == 1
        await complete_and_announce(services, sender, run)
        assert (await next_status(stream)).status is Status.COMPLETED
        assert [status async for status in stream] == []


async def test_an_event_arrives_before_the_row_is_read_again(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        sender = a_broadcaster(services.redis_cache)
        run = await claim_and_announce(services, sender, await queued(services, account_id))
        stream = jobs_that_read_once_an_hour(services).watch(account_id, run.id)
        await next_status(stream)
        await _subscribed(services.redis_cache)
        waiting = asyncio.create_task(next_status(stream, seconds=60))
        await complete_and_announce(services, sender, run)
        assert (await waiting).status is Status.COMPLETED


async def test_a_lost_event_only_delays(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        job = await queued(services, account_id)
        stream = services.jobs.watch(account_id, job.id)
        await next_status(stream)
        await change(services, job.id, file_name="'b.pdf'", version="version + 1")
        assert (await next_status(stream, seconds=15)).file_name == "b.pdf"


async def test_streams_end_when_the_process_stops(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        stream = services.jobs.watch(account_id, (await queued(services, account_id)).id)
        await next_status(stream)
        rest = asyncio.create_task(_all(stream))

        async def waits() -> bool:
            return inspect.isasyncgen(stream) and stream.ag_running

        await until(waits)
        services.jobs.end_watches()
        async with asyncio.timeout(60):
            assert await rest == []


async def test_events_come_again_after_the_wire_broke_or_fell_silent(addresses: Addresses) -> None:
    port = int(addresses.redis_cache_url.rsplit(":", 1)[1].split("/")[0])
    async with FaultProxy(port) as proxy:
        proxied = addresses.redis_cache_url.replace(str(port), str(proxy.port))
        async with opened(msgspec.structs.replace(addresses, redis_cache_url=proxied)) as services:
            account_id = await new_account(services)
            direct = Redis.from_url(addresses.redis_cache_url)
            sender = a_broadcaster(direct)
            await proxy.break_connections()
            run = await claim_and_announce(services, sender, await queued(services, account_id))
            stream = services.jobs.watch(account_id, run.id)
            await next_status(stream)
            waiting = asyncio.create_task(next_status(stream, seconds=10))
            await _subscribed(direct)
            await complete_and_announce(services, sender, run)
            assert (await waiting).status is Status.COMPLETED
            await direct.aclose()


async def _all(stream: AsyncGenerator[JobStatus]) -> list[JobStatus]:
    return [status async for status in stream]


async def _subscribed(redis: Redis) -> None:
    async def subscribers() -> int:
        return (await redis.pubsub_numsub("job-notices"))[0][1]

    await until(subscribers)


async def test_listening_ends_at_once_also_while_the_line_is_being_made(addresses: Addresses) -> None:
    """A client may swallow a cancellation while it sends. The process would then never stop."""
    async with opened(addresses) as services:
        for turns in range(24):
            listener = a_broadcaster(services.redis_cache)
            listener.start()
            for _ in range(turns % 12):
                await asyncio.sleep(0)
            async with asyncio.timeout(10):
                await listener.close()
