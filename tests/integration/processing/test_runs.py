"""A run is claimed once, fenced by its number, and ended once."""

import asyncio

from tests.support.job_rows import an_extraction, change, claimed, count, queued, read
from tests.support.services import Addresses, new_account, opened
from upschedule.processing.job import Job, JobError, Status
from upschedule.processing.runs import RunRepository
from upschedule.services import Services

ERROR = JobError(code="reading-failed", title="t", detail="d", in_file=False)


async def claim(services: Services, job: Job, *, lease_seconds: float = 60) -> Job | None:
    async with services.database.transaction() as connection:
        return await RunRepository(connection).claim(job.id, lease_seconds=lease_seconds)


async def complete(services: Services, run: Job, *modules: str) -> Job | None:
    async with services.database.transaction() as connection:
        return await RunRepository(connection).complete(run, an_extraction(*modules), reader_version="1")


async def test_of_twenty_who_claim_at_once_one_gets_the_job(addresses: Addresses) -> None:
    """R2.3 requires that one worker runs a job."""
    async with opened(addresses) as services:
        job = await queued(services, await new_account(services))
        runs = await asyncio.gather(*(claim(services, job) for _ in range(20)))
        winners = [run for run in runs if run]
        assert len(winners) == 1
        assert (winners[0].attempt, winners[0].run, winners[0].status) == (1, 1, Status.PROCESSING)


async def test_a_job_is_not_claimed_before_it_is_due(addresses: Addresses) -> None:
    """The time comes from the retry policy (R2.1)."""
    async with opened(addresses) as services:
        job = await queued(services, await new_account(services), run_after="now() + interval '1 minute'")
        assert await claim(services, job) is None
        await change(services, job.id, run_after="now()")
        assert await claim(services, job) is not None


async def test_a_result_is_stored_with_the_state_and_read_back_whole(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        run = await claimed(services, account_id)
        completed = await complete(services, run, "COS132", "WTW114")
        assert completed is not None
        assert (completed.status, completed.pages, completed.pages_read) == (Status.COMPLETED, 2, 2)
        assert await services.jobs.timetable(account_id, run.id) == an_extraction("COS132", "WTW114")


async def test_a_stale_runs_writes_are_refused_and_change_nothing(addresses: Addresses) -> None:
    """Another worker owns the job by then (R2.3)."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        stale = await claimed(services, account_id)
        async with services.database.transaction() as connection:
            await RunRepository(connection).retry_later(stale, delay_seconds=0)
        current = await claim(services, stale)
        assert current is not None
        before = await read(services, stale.id)
        async with services.database.transaction() as connection:
            runs = RunRepository(connection)
            assert not await runs.renew(stale, lease_seconds=60, attempt_seconds_max=300)
            assert await runs.progress(stale, pages_read=1, pages=2) is None
            assert await runs.complete(stale, an_extraction("WRONG"), reader_version="1") is None
            assert await runs.retry_later(stale, delay_seconds=0) is None
            assert await runs.give_back(stale) is None
            assert await runs.fail(stale, ERROR, traceback="t", reader_version="1") is None
        assert await read(services, stale.id) == before
        assert await count(services, "events") == 0
        assert await count(services, "dead_letters") == 0
        assert await complete(services, current, "COS132") is not None


async def test_a_persons_retry_does_not_make_an_old_run_current_again(addresses: Addresses) -> None:
    """Attempts are counted from 1 again, but the fencing number is not (R2.3)."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        stale = await claimed(services, account_id)
        async with services.database.transaction() as connection:
            assert await RunRepository(connection).fail(stale, ERROR, traceback="t", reader_version="1")
        await services.intake.retry(account_id, stale.id, settings=services.settings)
        current = await claim(services, stale)
        assert current is not None
        assert current.attempt == stale.attempt == 1
        assert await complete(services, stale, "WRONG") is None


async def test_a_job_given_back_is_due_at_once_and_its_attempt_does_not_count(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        run = await claimed(services, await new_account(services))
        async with services.database.transaction() as connection:
            given_back = await RunRepository(connection).give_back(run)
        assert given_back is not None
        assert (given_back.status, given_back.attempt) == (Status.QUEUED, 0)
        again = await claim(services, run)
        assert again is not None
        assert (again.attempt, again.run) == (1, 2)


async def test_a_lease_is_not_renewed_beyond_the_longest_attempt(addresses: Addresses) -> None:
    """R1.5 limits the time of an attempt."""
    async with opened(addresses) as services:
        run = await claimed(services, await new_account(services))
        async with services.database.transaction() as connection:
            assert await RunRepository(connection).renew(run, lease_seconds=60, attempt_seconds_max=300)
        await change(services, run.id, started_at="now() - interval '301 seconds'")
        async with services.database.transaction() as connection:
            assert not await RunRepository(connection).renew(run, lease_seconds=60, attempt_seconds_max=300)


async def test_a_failure_leaves_a_dead_letter_with_its_traceback(addresses: Addresses) -> None:
    """R2.5 requires it."""
    async with opened(addresses) as services:
        run = await claimed(services, await new_account(services))
        async with services.database.transaction() as connection:
            await RunRepository(connection).fail(run, ERROR, traceback="Traceback: \x00here", reader_version="1")
        async with services.database.transaction() as connection:
            letter = await (await connection.execute("SELECT * FROM dead_letters")).fetchone()
        assert letter is not None
        assert (letter["job_id"], letter["attempt"], letter["code"]) == (run.id, 1, "reading-failed")
        assert letter["traceback"] == "Traceback: \ufffdhere"


async def test_a_second_reading_replaces_the_events_of_the_first(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        run = await claimed(services, account_id)
        await complete(services, run, "COS132", "WTW114", "PHY114")
        async with services.database.transaction() as connection:
            await connection.execute("UPDATE jobs SET status = 'queued', finished_at = NULL")
        again = await claim(services, run)
        assert again is not None
        assert await count(services, "events") == 3
        await complete(services, again, "COS132")
        assert await services.jobs.timetable(account_id, run.id) == an_extraction("COS132")
