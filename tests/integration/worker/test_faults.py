"""Workers die, servers become unreachable, and messages are invalid. No job is lost, and none is done twice."""

import asyncio
import signal
import subprocess
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from tests.integration.conftest import StartScheduler, StartWorker
from tests.integration.processing.test_intake import accept
from tests.support.fault_proxy import FaultProxy
from tests.support.servers import migrate_now
from tests.support.services import Addresses, a_document, new_account, opened, until, until_final
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.valkey import STATE, Valkey, ValkeyUse
from upschedule.processing.job import JobStatus, Status
from upschedule.services import Services

#: Times are shorter than in production, in the same proportions.
QUICK = {
    "JOBS_LEASE_SECONDS": "2",
    "JOBS_HEARTBEAT_SECONDS": "0.5",
    "JOBS_SWEEP_SECONDS": "0.5",
    "JOBS_RING_AGAIN_SECONDS": "1",
    "JOBS_BACKOFF_SECONDS_BASE": "0.2",
}

#: Tests with their own servers do not use it, because their jobs need a scheduler on those servers.
WITH_SCHEDULER = pytest.mark.usefixtures("scheduler")


@pytest.fixture
def scheduler(addresses: Addresses, start_scheduler: StartScheduler) -> None:
    """A scheduler that finds the jobs of dead workers."""
    start_scheduler(addresses, QUICK)


async def upload(services: Services, text: str) -> tuple[UUID, UUID]:
    account_id = await new_account(services)
    return account_id, (await accept(services, account_id, a_document(f"{text} {uuid4().hex}"))).job.id


async def until_status(services: Services, account_id: UUID, job_id: UUID, status: Status) -> JobStatus:
    async def reached() -> JobStatus | None:
        now = await services.jobs.status(account_id, job_id)
        return now if now.status is status else None

    found = await until(reached)
    assert found is not None
    return found


async def until_exit(process: "subprocess.Popen[str]") -> int:
    return await asyncio.to_thread(process.wait, 20)


async def until_ready(port: int, *, ready: bool) -> None:
    """Waits until the worker on this port reports this readiness."""
    async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", timeout=10) as client:

        async def reports_readiness() -> bool:
            return (await client.get("/health/ready")).is_success is ready

        await until(reports_readiness)


async def runs_of(services: Services, job_id: UUID) -> int:
    async with services.database.transaction() as connection:
        row = await (await connection.execute("SELECT run FROM jobs WHERE id = %s", [job_id])).fetchone()
    assert row is not None
    return row["run"]


@WITH_SCHEDULER
async def test_a_killed_workers_job_is_finished_by_another(addresses: Addresses, start_worker: StartWorker) -> None:
    """The lease of the killed worker ends (R1.2, R2.3)."""
    async with opened(addresses, settings=QUICK) as services:
        doomed = start_worker(addresses, QUICK)
        account_id, job_id = await upload(services, "slow 3 30")
        await until_status(services, account_id, job_id, Status.PROCESSING)
        start_worker(addresses, QUICK)
        doomed.send_signal(signal.SIGKILL)
        final = await until_final(services, account_id, job_id)
        assert final.status is Status.COMPLETED
        assert final.attempt == 2
        assert len((await services.jobs.timetable(account_id, job_id)).events) == 1


@WITH_SCHEDULER
async def test_a_stopped_worker_that_wakes_up_late_cannot_store_its_result(
    addresses: Addresses, start_worker: StartWorker
) -> None:
    """Another worker owns the job by then (R2.3)."""
    async with opened(addresses, settings=QUICK) as services:
        sleeper = start_worker(addresses, QUICK)
        account_id, job_id = await upload(services, "slow 2 20")
        await until_status(services, account_id, job_id, Status.PROCESSING)
        sleeper.send_signal(signal.SIGSTOP)
        other = start_worker(addresses, QUICK)
        final = await until_final(services, account_id, job_id)
        sleeper.send_signal(signal.SIGCONT)
        sleeper.send_signal(signal.SIGTERM)
        assert await until_exit(sleeper) == 0
        assert await services.jobs.status(account_id, job_id) == final
        assert (final.status, final.attempt, await runs_of(services, job_id)) == (Status.COMPLETED, 2, 2)
        assert other.poll() is None


@WITH_SCHEDULER
async def test_a_worker_that_is_asked_to_stop_finishes_its_job(addresses: Addresses, start_worker: StartWorker) -> None:
    async with opened(addresses, settings=QUICK) as services:
        worker = start_worker(addresses, QUICK)
        account_id, job_id = await upload(services, "slow 1 5")
        await until_status(services, account_id, job_id, Status.PROCESSING)
        worker.send_signal(signal.SIGTERM)
        assert await until_exit(worker) == 0
        final = await services.jobs.status(account_id, job_id)
        assert (final.status, final.attempt) == (Status.COMPLETED, 1)


@WITH_SCHEDULER
async def test_a_worker_out_of_time_gives_its_job_back_without_counting_the_attempt(
    addresses: Addresses, start_worker: StartWorker
) -> None:
    async with opened(addresses, settings=QUICK) as services:
        worker = start_worker(addresses, QUICK | {"WORKER_DRAIN_SECONDS": "0.3"})
        account_id, job_id = await upload(services, "slow 3 30")
        await until_status(services, account_id, job_id, Status.PROCESSING)
        worker.send_signal(signal.SIGTERM)
        assert await until_exit(worker) == 0
        given_back = await services.jobs.status(account_id, job_id)
        assert (given_back.status, given_back.attempt) == (Status.QUEUED, 0)
        start_worker(addresses, QUICK)
        final = await until_final(services, account_id, job_id)
        assert (final.status, final.attempt) == (Status.COMPLETED, 1)


@WITH_SCHEDULER
async def test_a_failing_reading_is_tried_four_times_and_then_kept_for_debugging(
    addresses: Addresses, start_worker: StartWorker
) -> None:
    """R2.1 allows three retries, and R2.5 requires the dead letter."""
    async with opened(addresses, settings=QUICK) as services:
        start_worker(addresses, QUICK)
        account_id, job_id = await upload(services, "broken defect")
        final = await until_final(services, account_id, job_id)
        assert (final.status, final.attempt) == (Status.FAILED, 4)
        assert final.error is not None
        assert final.error.code == "reading-failed"
        async with services.database.transaction() as connection:
            letters = await (await connection.execute("SELECT * FROM dead_letters")).fetchall()
        assert len(letters) == 1
        assert "SandboxFailed" in letters[0]["traceback"]


@WITH_SCHEDULER
async def test_a_file_that_is_refused_is_refused_once(addresses: Addresses, start_worker: StartWorker) -> None:
    """The cause is in the file (R2.1)."""
    async with opened(addresses, settings=QUICK) as services:
        start_worker(addresses, QUICK)
        account_id, job_id = await upload(services, "refused")
        final = await until_final(services, account_id, job_id)
        assert (final.status, final.attempt) == (Status.FAILED, 1)
        assert final.error is not None
        assert final.error.in_file


async def test_a_reading_beyond_its_time_is_ended_and_has_failed(
    addresses: Addresses, start_worker: StartWorker, start_scheduler: StartScheduler
) -> None:
    """The worker ends it, or the scheduler does if the worker could no longer renew its lease (R1.5)."""
    short = QUICK | {"JOBS_ATTEMPT_SECONDS_MAX": "1"}
    async with opened(addresses, settings=QUICK) as services:
        start_worker(addresses, short)
        start_scheduler(addresses, short)
        account_id, job_id = await upload(services, "slow 60 600")
        final = await until_final(services, account_id, job_id)
        assert (final.status, final.attempt) == (Status.FAILED, 1)


@WITH_SCHEDULER
async def test_progress_is_seen_while_it_reads(addresses: Addresses, start_worker: StartWorker) -> None:
    async with opened(addresses, settings=QUICK) as services:
        start_worker(addresses, QUICK)
        account_id, job_id = await upload(services, "slow 3 30")
        statuses = [status async for status in services.jobs.watch(account_id, job_id)]
        read = [status.pages_read for status in statuses if status.status is Status.PROCESSING]
        assert read == sorted(read)
        assert len(set(read)) >= 4
        assert statuses[-1].status is Status.COMPLETED


async def waiting_messages(services: Services) -> list[bytes]:
    found: Any = await services.redis_state.xrange("jobs")
    return [fields[b"data"] for _id, fields in found]


@WITH_SCHEDULER
async def test_the_same_message_twenty_times_reads_once(addresses: Addresses, start_worker: StartWorker) -> None:
    async with opened(addresses, settings=QUICK) as services:
        account_id, job_id = await upload(services, "slow 0.5 5")
        (message,) = await waiting_messages(services)
        for _ in range(19):
            await services.redis_state.xadd("jobs", {"data": message})
        for _ in range(2):
            start_worker(addresses, QUICK)
        final = await until_final(services, account_id, job_id)
        assert final.status is Status.COMPLETED

        async def drained() -> bool:
            return await services.redis_state.xlen("jobs") == 0

        await until(drained)
        assert await runs_of(services, job_id) == 1


@WITH_SCHEDULER
async def test_invalid_messages_in_the_queue_stop_no_worker(addresses: Addresses, start_worker: StartWorker) -> None:
    async with opened(addresses, settings=QUICK) as services:
        account_id, job_id = await upload(services, "plain")
        (good,) = await waiting_messages(services)
        await services.redis_state.delete("jobs")
        poison = [
            b"\xff\xfe",
            b"{}",
            good.replace(str(job_id).encode(), str(uuid4()).encode()),
            good.replace(str(job_id).encode(), b"no uuid"),
            good.replace(b'"args"', b'"arguments"'),
            good.replace(b"jobs.process", b"jobs.unheard"),
        ]
        for data in [*poison, good]:
            await services.redis_state.xadd("jobs", {"data": data})
        worker = start_worker(addresses, QUICK)
        assert (await until_final(services, account_id, job_id)).status is Status.COMPLETED
        assert worker.poll() is None


@WITH_SCHEDULER
async def test_a_flushed_redis_loses_no_job(addresses: Addresses, start_worker: StartWorker) -> None:
    async with opened(addresses, settings=QUICK) as services:
        waiting = [await upload(services, "plain") for _ in range(5)]
        await services.redis_state.flushall()
        worker = start_worker(addresses, QUICK)
        reading = await upload(services, "slow 1 5")
        await until_status(services, *reading, Status.PROCESSING)
        await services.redis_state.flushall()
        final = [await until_final(services, *job) for job in [*waiting, reading]]
        assert {(one.status, one.attempt) for one in final} == {(Status.COMPLETED, 1)}
        assert worker.poll() is None


async def test_a_redis_that_is_away_and_comes_back_delays_only(
    addresses: Addresses,
    start_worker: StartWorker,
    start_scheduler: StartScheduler,
    private_valkey: Callable[[ValkeyUse], Valkey],
) -> None:
    """R4.4 requires persistence of the queue."""
    server = private_valkey(STATE)
    own = msgspec.structs.replace(addresses, redis_state_url=server.url)
    async with opened(own, settings=QUICK) as services:
        worker, scheduler = start_worker(own, QUICK), start_scheduler(own, QUICK)
        reading = await upload(services, "slow 2 5")
        await until_status(services, *reading, Status.PROCESSING)
        await asyncio.to_thread(server.stop)
        waiting = await upload(services, "plain")
        assert (await until_final(services, *reading)).status is Status.COMPLETED
        await asyncio.to_thread(server.start)
        assert (await until_final(services, *waiting)).status is Status.COMPLETED
        assert (worker.poll(), scheduler.poll()) == (None, None)


async def test_a_restart_of_postgresql_loses_no_job(
    addresses: Addresses,
    start_worker: StartWorker,
    start_scheduler: StartScheduler,
    private_postgres: Callable[..., Postgres],
) -> None:
    server = private_postgres()
    migrate_now(server.owner_dsn("upschedule"))
    own = msgspec.structs.replace(addresses, postgres_dsn=server.application_dsn("upschedule"))
    async with opened(own, settings=QUICK) as services:
        worker, scheduler = start_worker(own, QUICK | {"JOBS_LEASE_SECONDS": "10"}), start_scheduler(own, QUICK)
        reading = await upload(services, "slow 1 5")
        waiting = [await upload(services, "plain") for _ in range(3)]
        await until_status(services, *reading, Status.PROCESSING)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        final = [await until_final(services, *job) for job in [reading, *waiting]]
        assert {one.status for one in final} == {Status.COMPLETED}
        assert (worker.poll(), scheduler.poll()) == (None, None)


@pytest.mark.parametrize("store", ["postgres", "redis", "objects"])
@WITH_SCHEDULER
async def test_broken_and_silent_wires_of_a_worker_lose_no_job(
    addresses: Addresses, start_worker: StartWorker, store: str
) -> None:
    urls = {
        "postgres": addresses.postgres_dsn,
        "redis": addresses.redis_state_url,
        "objects": f"http://{addresses.objects.endpoint}/",
    }
    port = int(urls[store].rsplit(":", 1)[1].split("/")[0])
    health = free_port()
    settings = QUICK | {
        "WORKER_PORT": str(health),
        "POSTGRES_STATEMENT_SECONDS": "1",
        "POSTGRES_CONNECT_SECONDS": "1",
        "POSTGRES_WAIT_SECONDS": "3",
        "OBJECTS_REQUEST_SECONDS": "1",
    }
    async with FaultProxy(port) as proxy, opened(addresses, settings=QUICK) as services:
        mine = {
            "postgres": {"postgres_dsn": urls["postgres"].replace(f":{port}/", f":{proxy.port}/")},
            "redis": {"redis_state_url": urls["redis"].replace(str(port), str(proxy.port))},
            "objects": {"objects_endpoint": f"127.0.0.1:{proxy.port}"},
        }
        worker = start_worker(msgspec.structs.replace(addresses, **mine[store]), settings)
        assert (await until_final(services, *await upload(services, "plain"))).status is Status.COMPLETED
        jobs = [await upload(services, "slow 0.5 5") for _ in range(3)]
        await proxy.break_connections()
        final = [await until_final(services, *job) for job in jobs]
        assert {one.status for one in final} == {Status.COMPLETED}
        await until_ready(health, ready=True)
        proxy.go_deaf()
        jobs = [await upload(services, "plain") for _ in range(2)]
        await until_ready(health, ready=False)
        await proxy.restore()
        final = [await until_final(services, *job) for job in jobs]
        assert {one.status for one in final} == {Status.COMPLETED}
        assert worker.poll() is None
