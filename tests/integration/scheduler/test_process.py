"""The scheduler as a program: one leads, another takes over, and each measures the queue."""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.integration.conftest import StartScheduler
from tests.integration.processing.test_provisional import OLD, a_left_reading, claim, of
from tests.support.job_rows import change, claimed, queued, read
from tests.support.processes.health_pages import await_alive, await_ready, dependencies, get, metric
from tests.support.servers import migrate_now, wait_until
from tests.support.services import Addresses, new_account, opened, until
from upschedule.operations.embedded.ports import free_port
from upschedule.operations.embedded.postgres import Postgres
from upschedule.processing.job import Job, Status
from upschedule.services import Services
from upschedule.settings import SchedulerSettings

PORT = "SCHEDULER_PORT"
_OLDEST_TRANSACTION = """
    SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0)::float8 AS seconds FROM pg_stat_activity
    WHERE datname = current_database() AND usename = 'upschedule_scheduler'
"""
EXPIRED = "now() - interval '1 second'"


def leads(port: int) -> bool:
    return metric(port, "upschedule_scheduler_leading") == 1


async def until_found(services: Services, job: Job) -> None:
    """Waits until a sweep has queued the job again."""

    async def found() -> bool:
        return (await read(services, job.id)).status is Status.QUEUED

    await until(found)


async def test_what_was_lost_is_found_and_sigterm_ends_it_with_zero(
    addresses: Addresses, start_scheduler: StartScheduler
) -> None:
    """The leader's sweep finds it (R2.3, R6.1)."""
    port = free_port()
    async with opened(addresses) as services:
        job = await claimed(services, await new_account(services), lease_until=EXPIRED)
        scheduler = start_scheduler(addresses, {PORT: str(port)})
        await until_found(services, job)
    assert await asyncio.to_thread(dependencies, port) == {
        "postgres": None,
        "redis-state": None,
        "redis-cache": None,
        "objects": None,
    }
    scheduler.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(scheduler.wait, 20) == 0


async def test_every_scheduler_measures_the_queue_when_it_is_asked(
    addresses: Addresses, start_scheduler: StartScheduler
) -> None:
    """A scheduler that does not lead measures as well. No figure is older than the request (R6.2)."""
    ports = [free_port(), free_port()]
    for port in ports:
        start_scheduler(addresses, {PORT: str(port), "JOBS_BACKOFF_SECONDS_BASE": "600"})
    began = time.monotonic()
    async with opened(addresses) as services:
        account_id = await new_account(services)
        for due in ("now() - interval '40 seconds'", "now()", "now() + interval '1 hour'"):
            await queued(services, account_id, run_after=due)
        await claimed(services, account_id)
    for port in ports:
        await asyncio.to_thread(await_alive, port)
        depths = {state: metric(port, "upschedule_queue_depth", state=state) for state in ("due", "delayed")}
        assert depths == {"due": 2, "delayed": 1}
        assert metric(port, "upschedule_queue_depth", state="processing") == 1
        age_seconds = metric(port, "upschedule_queue_age_seconds", state="due") or 0
        assert 40 <= age_seconds <= 40 + time.monotonic() - began
        assert metric(port, "upschedule_queue_finished_per_minute", window="60s") == 60


async def test_documents_that_wait_to_be_read_again_bring_no_workers(
    addresses: Addresses, start_scheduler: StartScheduler
) -> None:
    """No visitor waits for them, so they count neither as due nor by age.

    A job that its owner queued again does count (R10.1).
    """
    port = free_port()
    async with opened(addresses, settings=of(OLD)) as services:
        account_id = await new_account(services)
        jobs = [await a_left_reading(services, account_id, "COS132") for _ in range(4)]
        await services.provisional_readings().settle()
        for job in jobs:
            await change(services, job.id, run_after="now() - interval '40 seconds'")
        await claim(services, jobs[0], release=OLD)
        await change(services, jobs[1].id, run_after="now() + interval '1 hour'")
        start_scheduler(addresses, {PORT: str(port)})
        await asyncio.to_thread(await_alive, port)
        states = ("due", "delayed", "read-again", "processing")
        depths = {state: metric(port, "upschedule_queue_depth", state=state) for state in states}
        assert depths == {"due": 0, "delayed": 0, "read-again": 3, "processing": 1}
        assert metric(port, "upschedule_queue_age_seconds", state="due") == 0
        await change(services, jobs[2].id, provisional_release="NULL")
        wait_until(lambda: metric(port, "upschedule_queue_depth", state="due") == 1)
        assert (metric(port, "upschedule_queue_age_seconds", state="due") or 0) >= 40


async def test_a_killed_leader_is_followed_by_another(addresses: Addresses, start_scheduler: StartScheduler) -> None:
    """The lease of the killed leader ends (R1.2, R2.3)."""
    ports = [free_port(), free_port()]
    schedulers = [start_scheduler(addresses, {PORT: str(port)}) for port in ports]
    wait_until(lambda: any(map(leads, ports)), timeout_seconds=30)
    first = next(index for index, port in enumerate(ports) if leads(port))
    await asyncio.to_thread(await_alive, ports[1 - first])
    assert not leads(ports[1 - first])
    schedulers[first].kill()
    async with opened(addresses) as services:
        job = await claimed(services, await new_account(services), lease_until=EXPIRED)
        await until_found(services, job)
    assert leads(ports[1 - first])


async def test_a_leader_that_hangs_is_replaced_and_steps_back_when_it_wakes_up(
    addresses: Addresses, start_scheduler: StartScheduler
) -> None:
    """Only one scheduler may lead (R2.3)."""
    ports = [free_port(), free_port()]
    first = start_scheduler(addresses, {PORT: str(ports[0])})
    wait_until(lambda: leads(ports[0]), timeout_seconds=30)
    start_scheduler(addresses, {PORT: str(ports[1])})
    await asyncio.to_thread(await_alive, ports[1])
    first.send_signal(signal.SIGSTOP)
    wait_until(lambda: leads(ports[1]), timeout_seconds=SchedulerSettings().lease_seconds + 5)
    first.send_signal(signal.SIGCONT)
    wait_until(lambda: not leads(ports[0]), timeout_seconds=10)
    assert leads(ports[1])
    assert first.poll() is None


async def test_a_leader_that_ends_gives_up_its_lease(addresses: Addresses, start_scheduler: StartScheduler) -> None:
    """The next leader does not wait until the lease ends (R2.3)."""
    ports, long = [free_port(), free_port()], {"SCHEDULER_LEASE_SECONDS": "600"}
    first = start_scheduler(addresses, {PORT: str(ports[0]), **long})
    wait_until(lambda: leads(ports[0]), timeout_seconds=30)
    start_scheduler(addresses, {PORT: str(ports[1]), **long})
    await asyncio.to_thread(await_alive, ports[1])
    assert not leads(ports[1])
    first.send_signal(signal.SIGTERM)
    wait_until(lambda: leads(ports[1]), timeout_seconds=30)


async def test_a_leader_holds_no_transaction_open(addresses: Addresses, start_scheduler: StartScheduler) -> None:
    """PgBouncer's orderly stop waits for the end of every transaction (R3.5)."""
    port = free_port()
    start_scheduler(addresses, {PORT: str(port)})
    wait_until(lambda: leads(port), timeout_seconds=30)
    async with opened(addresses) as services:
        oldest = 0.0
        for _ in range(40):
            async with services.database.transaction() as connection:
                cursor = await connection.execute(_OLDEST_TRANSACTION)
                row = await cursor.fetchone()
            assert row is not None
            oldest = max(oldest, row["seconds"])
            await asyncio.sleep(0.05)
    assert oldest < 1
    assert leads(port)


async def test_a_canary_measures_and_leads_only_once_it_is_live(
    addresses: Addresses, start_scheduler: StartScheduler, tmp_path: Path
) -> None:
    """It is ready before that, since an unready canary could not be promoted (R12.2)."""
    port, standing = free_port(), tmp_path / "standing"
    async with opened(addresses) as services:
        job = await claimed(services, await new_account(services), lease_until=EXPIRED)
        start_scheduler(addresses, {PORT: str(port), "ROLLOUT_STANDING_FILE": str(standing)})
        await asyncio.to_thread(await_ready, port)
        standing.write_text("canary\n")
        assert metric(port, "upschedule_queue_depth", state="processing") == 1
        assert not leads(port)
        standing.write_text("live\n")
        await until_found(services, job)
        assert leads(port)


@pytest.mark.timeout(180)
async def test_without_postgresql_the_queue_is_not_shown_and_afterwards_one_leads_again(
    addresses: Addresses, start_scheduler: StartScheduler, private_postgres: Callable[..., Postgres]
) -> None:
    """An old figure would be taken for a current one (R6.2)."""
    server, port = private_postgres(), free_port()
    migrate_now(server.owner_dsn("upschedule"))
    own = msgspec.structs.replace(addresses, postgres_dsn=server.application_dsn("upschedule"))
    scheduler = start_scheduler(own, {PORT: str(port)})
    wait_until(lambda: leads(port), timeout_seconds=30)
    assert metric(port, "upschedule_queue_depth", state="due") == 0
    await asyncio.to_thread(server.stop)
    wait_until(lambda: not leads(port), timeout_seconds=10)
    status, metrics = await asyncio.to_thread(get, port, "/metrics")
    assert status == 200
    assert "\nupschedule_queue_" not in metrics
    await asyncio.to_thread(server.start)
    wait_until(lambda: leads(port), timeout_seconds=60)
    assert metric(port, "upschedule_queue_depth", state="due") == 0
    assert scheduler.poll() is None
