"""The sweeper finds jobs whose worker or wake-up message was lost."""

import asyncio
from datetime import datetime, timedelta

import msgspec
import pytest

from tests.support.job_rows import change, claimed, count, queued, read
from tests.support.services import Addresses, new_account, opened
from upschedule.processing.job import Status
from upschedule.services import Services

EXPIRED = "now() - interval '1 second'"
NO_REDIS = "redis://127.0.0.1:1"


async def messages(services: Services) -> int:
    return await services.redis_state.xlen("jobs")


async def _now(services: Services) -> datetime:
    """The time of the database's clock, which also sets due times."""
    async with services.database.transaction() as connection:
        row = await (await connection.execute("SELECT clock_timestamp() AS now")).fetchone()
    assert row is not None
    return row["now"]


async def test_a_run_whose_lease_ran_out_is_queued_again_with_backoff(addresses: Addresses) -> None:
    """R2.1 and R2.3 require the retry."""
    async with opened(addresses, settings={"JOBS_BACKOFF_SECONDS_BASE": "50"}) as services:
        run = await claimed(services, await new_account(services), lease_until=EXPIRED)
        began = await _now(services)
        await services.sweeper().sweep()
        job = await read(services, run.id)
        assert (job.status, job.attempt, job.run) == (Status.QUEUED, 1, 1)
        async with services.database.transaction() as connection:
            row = await (await connection.execute("SELECT run_after FROM jobs")).fetchone()
        assert row is not None
        assert began <= row["run_after"] <= await _now(services) + timedelta(seconds=50)


async def test_a_live_lease_is_left_alone(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        run = await claimed(services, await new_account(services))
        await services.sweeper().sweep()
        assert await read(services, run.id) == run


async def test_after_the_last_retry_the_job_has_failed_and_left_a_dead_letter(addresses: Addresses) -> None:
    """R2.1 and R2.5 require both."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        run = await claimed(services, account_id, attempt="4", lease_until=EXPIRED)
        await services.sweeper().sweep()
        status = await services.jobs.status(account_id, run.id)
        assert status.status is Status.FAILED
        assert status.error is not None
        assert (status.error.code, status.error.in_file) == ("reading-failed", False)
        assert await count(services, "dead_letters") == 1


async def test_a_run_that_took_longer_than_five_minutes_has_failed(addresses: Addresses) -> None:
    """R1.5 limits an attempt to five minutes."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        run = await claimed(services, account_id, started_at="now() - interval '301 seconds'", lease_until=EXPIRED)
        await services.sweeper().sweep()
        status = await services.jobs.status(account_id, run.id)
        assert status.error is not None
        assert status.error.code == "reading-timed-out"


@pytest.mark.parametrize(
    ("columns", "rung"),
    [
        ({"rung_at": "NULL"}, 1),
        ({"rung_at": "now() - interval '11 seconds'"}, 1),
        ({"rung_at": "now()"}, 0),
        ({"rung_at": "NULL", "run_after": "now() + interval '1 minute'"}, 0),
    ],
    ids=["never rung", "rung long ago", "rung just now", "not due"],
)
async def test_due_jobs_without_a_wake_up_message_get_another(
    addresses: Addresses, columns: dict[str, str], rung: int
) -> None:
    """A lost wake-up message must not delay a job (R2.3)."""
    async with opened(addresses) as services:
        await queued(services, await new_account(services), **columns)
        await services.sweeper().sweep()
        await services.sweeper().sweep()
        assert await messages(services) == rung


async def test_a_sweep_touches_a_bounded_number_of_rows(addresses: Addresses) -> None:
    async with opened(addresses, settings={"JOBS_SWEEP_ROWS_MAX": "3"}) as services:
        account_id = await new_account(services)
        for _ in range(5):
            await queued(services, account_id, rung_at="NULL")
        await services.sweeper().sweep()
        assert await messages(services) == 3
        await services.sweeper().sweep()
        assert await messages(services) == 5


async def test_of_many_sweepers_at_once_each_job_is_settled_once(addresses: Addresses) -> None:
    """Two leaders can overlap for a short time."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        runs = [await claimed(services, account_id, attempt="4", lease_until=EXPIRED) for _ in range(5)]
        await asyncio.gather(*(services.sweeper().sweep() for _ in range(8)))
        assert await count(services, "dead_letters") == len(runs)


async def test_a_sweep_without_redis_moves_rows_and_rings_later(addresses: Addresses) -> None:
    away = msgspec.structs.replace(addresses, redis_state_url=NO_REDIS, redis_cache_url=NO_REDIS)
    async with opened(away) as services:
        account_id = await new_account(services)
        run = await claimed(services, account_id, lease_until=EXPIRED)
        due = [await queued(services, account_id, rung_at="NULL") for _ in range(20)]
        async with asyncio.timeout(60):
            await services.sweeper().sweep()
        assert (await read(services, run.id)).status is Status.QUEUED
    async with opened(addresses) as services:
        for job in due:
            await change(services, job.id, rung_at="rung_at - interval '1 minute'")
        await services.sweeper().sweep()
        assert await messages(services) >= len(due)
