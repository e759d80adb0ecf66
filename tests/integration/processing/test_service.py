"""The operations of visitors on their jobs."""

from uuid import uuid4

import pytest

from tests.integration.processing.test_intake import accept, stored_bytes
from tests.support.job_rows import an_extraction, claimed, count, queued, read
from tests.support.services import Addresses, a_document, new_account, opened
from upschedule.processing.errors import FileGone, JobNotFound, NotCompleted, NotFailed, QueueFull
from upschedule.processing.job import Job, JobError, Status
from upschedule.processing.runs import RunRepository
from upschedule.services import Services
from upschedule.stores.bucket import ObjectMissing


async def fail(services: Services, run: Job) -> None:
    error = JobError(code="reading-failed", title="t", detail="d", in_file=False)
    async with services.database.transaction() as connection:
        assert await RunRepository(connection).fail(run, error, traceback="t", reader_version="1")


async def test_another_owners_job_is_as_if_it_were_not_there(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        owner, other = await new_account(services), await new_account(services)
        job = (await accept(services, owner, a_document())).job
        assert (await services.jobs.status(owner, job.id)).id == job.id
        for account_id, job_id in ((other, job.id), (owner, uuid4())):
            with pytest.raises(JobNotFound):
                await services.jobs.status(account_id, job_id)
            with pytest.raises(JobNotFound):
                await services.jobs.delete(account_id, job_id)
            with pytest.raises(JobNotFound):
                await services.intake.retry(account_id, job_id, settings=services.settings)
            with pytest.raises(JobNotFound):
                await services.jobs.timetable(account_id, job_id)
            with pytest.raises(JobNotFound):
                await anext(services.jobs.watch(account_id, job_id))


async def test_positions_count_in_the_order_of_arrival(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        jobs = [(await accept(services, account_id, a_document())).job for _ in range(5)]
        positions = [(await services.jobs.status(account_id, job.id)).position for job in jobs]
        assert positions == [1, 2, 3, 4, 5]


async def test_the_list_is_newest_first_in_pages_without_gap_or_repetition(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        await queued(services, await new_account(services))
        jobs = [await queued(services, account_id, created_at="now() - interval '1 hour'") for _ in range(3)]
        jobs += [await queued(services, account_id) for _ in range(4)]
        # Three jobs have nearly the same creation time, so their ids decide.
        pages, cursor = [], None
        while True:
            page = await services.jobs.recent(account_id, cursor=cursor, limit=2)
            pages.append([job.id for job in page.jobs])
            cursor = page.next
            if cursor is None:
                break
        listed = [job_id for page in pages for job_id in page]
        assert [len(page) for page in pages] == [2, 2, 2, 1]
        assert listed[:4] == [job.id for job in reversed(jobs[3:])]
        assert set(listed) == {job.id for job in jobs}


async def test_deleting_removes_everything_that_came_from_the_file(addresses: Addresses) -> None:
    """R11.4 requires that the quota decreases, too."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        job = (await accept(services, account_id, a_document())).job
        async with services.database.transaction() as connection:
            run = await RunRepository(connection).claim(job.id, lease_seconds=60)
            assert run
            await RunRepository(connection).complete(run, an_extraction("COS132"), reader_version="1")
        await services.jobs.status(account_id, job.id)
        await services.jobs.delete(account_id, job.id)
        with pytest.raises(JobNotFound):
            await services.jobs.status(account_id, job.id)
        assert (await count(services, "jobs"), await count(services, "events")) == (0, 0)
        assert await stored_bytes(services, account_id) == 0
        with pytest.raises(ObjectMissing):
            await services.objects.get(job.object_key or "", size_bytes_max=10)
        assert (await accept(services, account_id, a_document())).created


async def test_a_run_under_way_finds_its_deleted_job_gone(addresses: Addresses) -> None:
    """Its result must not be stored (R2.3)."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        run = await claimed(services, account_id)
        async with services.database.transaction() as connection:
            await connection.execute("UPDATE accounts SET stored_bytes = 10")
        await services.jobs.delete(account_id, run.id)
        async with services.database.transaction() as connection:
            assert not await RunRepository(connection).renew(run, lease_seconds=60, attempt_seconds_max=300)
            assert not await RunRepository(connection).complete(run, an_extraction("COS132"), reader_version="1")
        assert await count(services, "events") == 0


async def test_only_a_failed_job_with_its_file_can_be_tried_again(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        run = await claimed(services, account_id)
        with pytest.raises(NotFailed):
            await services.intake.retry(account_id, run.id, settings=services.settings)
        with pytest.raises(NotCompleted):
            await services.jobs.timetable(account_id, run.id)
        await fail(services, run)
        again = await services.intake.retry(account_id, run.id, settings=services.settings)
        assert (again.status, again.attempt, again.error, again.finished_at) == (Status.QUEUED, 0, None, None)
        without_file = await claimed(services, account_id, object_key="NULL, stored_at = NULL")
        await fail(services, without_file)
        with pytest.raises(FileGone):
            await services.intake.retry(account_id, without_file.id, settings=services.settings)


async def test_a_retry_respects_the_bound_of_the_queue(addresses: Addresses) -> None:
    """R2.2 limits the queue."""
    async with opened(addresses, settings={"JOBS_PENDING_MAX": "1"}) as services:
        account_id = await new_account(services)
        run = await claimed(services, account_id)
        await fail(services, run)
        await queued(services, account_id)
        with pytest.raises(QueueFull):
            await services.intake.retry(account_id, run.id, settings=services.settings)
        assert (await read(services, run.id)).status is Status.FAILED


async def test_capacity_tells_the_length_the_bound_and_the_measured_rate(addresses: Addresses) -> None:
    """R2.2 requires these figures."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        assert (await services.intake.capacity(settings=services.settings)).rate_per_minute == 60
    async with opened(addresses) as services:
        for _ in range(3):
            run = await claimed(services, account_id, started_at="now() - interval '2 seconds'")
            await fail(services, run)
        await queued(services, account_id)
        capacity = await services.intake.capacity(settings=services.settings)
        assert (capacity.queued, capacity.limit) == (1, 500)
        assert capacity.rate_per_minute == pytest.approx(90, rel=0.2)
        assert capacity.wait_seconds == pytest.approx(60 / 90, rel=0.3)
