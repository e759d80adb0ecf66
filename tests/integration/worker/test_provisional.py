"""Real workers and schedulers of two releases: documents that the left release read are read again by the other."""

import asyncio
import signal
from uuid import UUID

import pytest

from tests.integration.conftest import StartScheduler, StartWorker
from tests.integration.worker.test_faults import QUICK, runs_of, upload
from tests.support.job_rows import read
from tests.support.services import Addresses, opened, until, until_final
from upschedule.processing.job import Status
from upschedule.services import Services

OLD, NEW = "2026.1", "2026.2"


def of(release: str, **settings: str) -> dict[str, str]:
    """The settings of a process of that release. Times are shorter than in production, in the same proportions."""
    return (
        QUICK | {"ROLLOUT_RELEASE": release, "ROLLOUT_RENEW_SECONDS": "0.3", "ROLLOUT_SILENT_SECONDS": "2"} | settings
    )


async def until_read_by(services: Services, job_id: UUID, release: str | None, *, runs: int) -> None:
    """Waits until the job is completed with the mark of the release, after this number of runs."""

    async def done() -> bool:
        job = await read(services, job_id)
        return job.status is Status.COMPLETED and (job.run, job.provisional_release) == (runs, release)

    await until(done)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_what_a_left_release_read_is_read_again_automatically(
    addresses: Addresses, start_worker: StartWorker, start_scheduler: StartScheduler, number: signal.Signals
) -> None:
    """It makes no difference how its processes ended. Only PostgreSQL shows that it was left (R12.3)."""
    async with opened(addresses, settings=QUICK) as services:
        left = [start_worker(addresses, of(NEW)), start_scheduler(addresses, of(NEW))]
        jobs = [await upload(services, "plain") for _ in range(3)]
        for job in jobs:
            await until_final(services, *job)
            assert (await read(services, job[1])).provisional_release == NEW
        for process in left:
            process.send_signal(number)
        await asyncio.gather(*(asyncio.to_thread(process.wait, 30) for process in left))
        start_worker(addresses, of(OLD))
        start_scheduler(addresses, of(OLD))
        for account_id, job_id in jobs:
            await until_read_by(services, job_id, OLD, runs=2)
            assert (await services.jobs.status(account_id, job_id)).attempt == 1


async def test_what_a_confirmed_release_read_is_read_once(
    addresses: Addresses, start_worker: StartWorker, start_scheduler: StartScheduler
) -> None:
    async with opened(addresses, settings=QUICK) as services:
        old = start_worker(addresses, of(OLD)), start_scheduler(addresses, of(OLD, ROLLOUT_PROVISIONAL_SECONDS="0"))
        _, job_id = await upload(services, "plain")
        await until_read_by(services, job_id, None, runs=1)
        for process in old:
            process.kill()
        start_worker(addresses, of(NEW))
        start_scheduler(addresses, of(NEW))

        async def forgotten() -> bool:
            async with services.database.transaction() as connection:
                rows = await (await connection.execute("SELECT release FROM worker_releases")).fetchall()
            return [row["release"] for row in rows] == [NEW]

        await until(forgotten)
        assert await runs_of(services, job_id) == 1


async def test_the_job_of_a_killed_worker_bears_the_mark_of_the_release_that_ended_it(
    addresses: Addresses, start_worker: StartWorker, start_scheduler: StartScheduler
) -> None:
    """The job is due again when the lease ends, as for any worker (R2.3)."""
    async with opened(addresses, settings=QUICK) as services:
        start_scheduler(addresses, of(OLD))
        doomed = start_worker(addresses, of(NEW))
        account_id, job_id = await upload(services, "slow 2 20")

        async def claimed() -> bool:
            return (await read(services, job_id)).status is Status.PROCESSING

        await until(claimed)
        doomed.kill()
        start_worker(addresses, of(OLD))
        final = await until_final(services, account_id, job_id)
        assert (final.status, final.attempt) == (Status.COMPLETED, 2)
        await until_read_by(services, job_id, OLD, runs=2)
