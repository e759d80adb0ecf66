"""A reading is provisional until its release is confirmed.

If the release is left before, the document is read again.
"""

import asyncio
from uuid import UUID

import pytest

from tests.integration.processing.test_intake import accept, move
from tests.support.job_rows import an_extraction, change, count, queued, read
from tests.support.services import Addresses, a_document, new_account, opened
from upschedule.pdf import READER_VERSION
from upschedule.processing.errors import NotCompleted, QueueFull
from upschedule.processing.job import Job, JobError, Status
from upschedule.processing.runs import RunRepository
from upschedule.processing.shares import ShareOptions, ShareRepository
from upschedule.services import Services

OLD, NEW = "2026.1", "2026.2"
LONG_AGO = "now() - interval '1 hour'"
OPTIONS = ShareOptions(quick_seconds=0.5, slow_seconds=10, half_life_seconds=600)
IN_FILE = JobError(code="pdf-no-timetable", title="t", detail="d", in_file=True)
DEFECT = JobError(code="reading-failed", title="t", detail="d", in_file=False)


def of(release: str, **settings: str) -> dict[str, str]:
    """The settings of a process of that release."""
    return {"ROLLOUT_RELEASE": release} | {f"ROLLOUT_{name.upper()}": value for name, value in settings.items()}


async def claim(services: Services, job: Job, *, release: str | None) -> Job:
    async with services.database.transaction() as connection:
        run = await RunRepository(connection).claim(job.id, lease_seconds=60, release=release)
    assert run is not None
    return run


async def read_by(services: Services, job: Job, *modules: str, release: str | None) -> Job:
    """A worker of that release reads the document."""
    run = await claim(services, job, release=release)
    async with services.database.transaction() as connection:
        completed = await RunRepository(connection).complete(
            run, an_extraction(*modules), reader_version=READER_VERSION
        )
    assert completed is not None
    return completed


async def refused_by(services: Services, job: Job, error: JobError, *, release: str) -> Job:
    run = await claim(services, job, release=release)
    async with services.database.transaction() as connection:
        failed = await RunRepository(connection).fail(run, error, traceback="", reader_version=READER_VERSION)
    assert failed is not None
    return failed


async def fall_silent(services: Services, release: str = NEW) -> None:
    async with services.database.transaction() as connection:
        statement = f"UPDATE worker_releases SET renewed_at = {LONG_AGO} WHERE release = %s"
        await connection.execute(statement.encode(), [release])
    async with services.database.transaction() as connection:
        statement = (
            f"UPDATE jobs SET finished_at = {LONG_AGO} WHERE provisional_release = %s AND finished_at IS NOT NULL"
        )
        await connection.execute(statement.encode(), [release])


async def releases(services: Services) -> dict[str, bool]:
    """Maps each release to whether it is confirmed."""
    async with services.database.transaction() as connection:
        rows = await (await connection.execute("SELECT release, confirmed_at FROM worker_releases")).fetchall()
    return {row["release"]: row["confirmed_at"] is not None for row in rows}


async def a_left_reading(services: Services, account_id: UUID, *modules: str) -> Job:
    """A document that the new release read, which was left since."""
    job = await read_by(services, await queued(services, account_id), *modules, release=NEW)
    await fall_silent(services)
    return job


async def test_a_reading_is_provisional_until_its_release_is_confirmed(addresses: Addresses) -> None:
    async with opened(addresses, settings=of(NEW, provisional_seconds="600")) as services:
        account_id = await new_account(services)
        first = await read_by(services, await queued(services, account_id), "COS132", release=NEW)
        assert first.provisional_release == NEW
        assert (await services.jobs.status(account_id, first.id)).status is Status.COMPLETED
        await services.provisional_readings().settle()
        await services.provisional_readings().settle()
        assert await releases(services) == {NEW: False}
        async with services.database.transaction() as connection:
            await connection.execute("UPDATE worker_releases SET live_since = now() - interval '601 seconds'")
        await services.provisional_readings().settle()
        assert (await read(services, first.id)).provisional_release is None
        assert (await read(services, first.id)).status is Status.COMPLETED
        second = await read_by(services, await queued(services, account_id), "COS132", release=NEW)
        assert second.provisional_release is None


async def test_without_a_release_nothing_is_provisional(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        job = await read_by(services, await queued(services, await new_account(services)), "COS132", release=None)
        await services.worker_release().renew()
        await services.provisional_readings().settle()
        assert await read(services, job.id) == job
        assert job.provisional_release is None
        assert await releases(services) == {}


async def test_what_a_left_release_read_is_read_again_and_its_result_stays_until_then(addresses: Addresses) -> None:
    """Its attempts start again from one, and a wake-up message is sent."""
    async with opened(addresses, settings=of(OLD)) as services:
        account_id = await new_account(services)
        wrong = await a_left_reading(services, account_id, "COS132")
        await services.provisional_readings().settle()
        again = await read(services, wrong.id)
        assert (again.status, again.attempt, again.is_read_again) == (Status.QUEUED, 0, True)
        assert again.version > wrong.version
        assert await services.redis_state.xlen("jobs") == 1
        assert await services.jobs.timetable(account_id, wrong.id) == an_extraction("COS132")
        run = await claim(services, again, release=OLD)
        assert await services.jobs.timetable(account_id, wrong.id) == an_extraction("COS132")
        async with services.database.transaction() as connection:
            await RunRepository(connection).retry_later(run, delay_seconds=0)
        await services.provisional_readings().settle()
        right = await read_by(services, again, "COS132", "WTW114", release=OLD)
        assert await services.jobs.timetable(account_id, wrong.id) == an_extraction("COS132", "WTW114")
        assert right.provisional_release == OLD


async def test_what_a_left_release_refused_is_read_again(addresses: Addresses) -> None:
    """This includes refusals because of the file."""
    async with opened(addresses, settings=of(OLD)) as services:
        account_id = await new_account(services)
        jobs = [
            await refused_by(services, await queued(services, account_id), error, release=NEW)
            for error in (IN_FILE, DEFECT)
        ]
        await fall_silent(services)
        await services.provisional_readings().settle()
        for job in jobs:
            assert (await read(services, job.id)).status is Status.QUEUED
            with pytest.raises(NotCompleted):
                await services.jobs.timetable(account_id, job.id)
            assert (await read_by(services, job, "COS132", release=OLD)).status is Status.COMPLETED


@pytest.mark.parametrize(("error", "remaining"), [(IN_FILE, 0), (DEFECT, 1)], ids=["no schedule", "a passing defect"])
async def test_entries_go_where_the_new_reading_finds_no_schedule(
    addresses: Addresses, error: JobError, remaining: int
) -> None:
    async with opened(addresses, settings=of(OLD)) as services:
        job = await a_left_reading(services, await new_account(services), "COS132")
        await services.provisional_readings().settle()
        await refused_by(services, job, error, release=OLD)
        async with services.database.transaction() as connection:
            rows = await (await connection.execute("SELECT FROM events")).fetchall()
        assert len(rows) == remaining


async def test_a_new_reading_that_fails_outside_the_file_leaves_the_earlier_result(addresses: Addresses) -> None:
    """The job has a warning and a dead letter. If the same file is uploaded again, it is read again (R2.5)."""
    async with opened(addresses, settings=of(OLD)) as services:
        account_id, data = await new_account(services), a_document()
        job = (await accept(services, account_id, data)).job
        await read_by(services, job, "COS132", release=NEW)
        await fall_silent(services)
        await services.provisional_readings().settle()
        refused = await refused_by(services, job, DEFECT, release=OLD)
        assert (refused.status, refused.error, refused.provisional_release) == (Status.COMPLETED, None, OLD)
        timetable = await services.jobs.timetable(account_id, job.id)
        assert timetable.events == an_extraction("COS132").events
        (warning,) = timetable.warnings
        assert "reading it again failed" in warning.message
        assert await count(services, "dead_letters") == 1
        assert (await accept(services, account_id, data)).created


async def test_a_new_reading_whose_workers_die_leaves_the_earlier_result(addresses: Addresses) -> None:
    """The sweeper gives it up after the last retry (R2.1, R2.3)."""
    async with opened(addresses, settings=of(OLD)) as services:
        account_id = await new_account(services)
        job = await a_left_reading(services, account_id, "COS132")
        await services.provisional_readings().settle()
        await claim(services, job, release=OLD)
        await change(services, job.id, attempt="4", lease_until="now() - interval '1 second'")
        await services.sweeper().sweep()
        assert (await services.jobs.status(account_id, job.id)).status is Status.COMPLETED
        assert (await services.jobs.timetable(account_id, job.id)).events == an_extraction("COS132").events


async def test_a_new_reading_that_fails_without_an_earlier_result_has_failed(addresses: Addresses) -> None:
    async with opened(addresses, settings=of(OLD)) as services:
        job = await refused_by(services, await queued(services, await new_account(services)), IN_FILE, release=NEW)
        await fall_silent(services)
        await services.provisional_readings().settle()
        assert (await refused_by(services, job, DEFECT, release=OLD)).status is Status.FAILED


async def test_a_release_whose_worker_runs_is_not_left(addresses: Addresses) -> None:
    """This also applies to a release that could not report yet, and to the leader's own."""
    async with opened(addresses, settings=of(NEW)) as canary, opened(addresses, settings=of(OLD)) as services:
        account_id = await new_account(services)
        early = await read_by(services, await queued(services, account_id), "COS132", release=NEW)
        await services.provisional_readings().settle()
        assert await read(services, early.id) == early
        await canary.worker_release().renew()
        await change(services, early.id, finished_at=LONG_AGO)
        own = await read_by(services, await queued(services, account_id), "COS132", release=OLD)
        await change(services, own.id, finished_at=LONG_AGO)
        await services.provisional_readings().settle()
        assert [(await read(services, job.id)).status for job in (early, own)] == [Status.COMPLETED] * 2
        await fall_silent(services)
        await canary.worker_release().renew()
        await services.provisional_readings().settle()
        assert (await read(services, early.id)).status is Status.COMPLETED


async def test_a_left_release_is_forgotten_so_that_it_must_be_confirmed_anew(addresses: Addresses) -> None:
    """It is not forgotten before all its readings are settled."""
    async with opened(addresses, settings=of(OLD, read_again_max="1")) as services:
        account_id = await new_account(services)
        async with services.database.transaction() as connection:
            await connection.execute("INSERT INTO worker_releases VALUES (%s, now(), now())", [NEW])
        for _ in range(2):
            await read_by(services, await queued(services, account_id), "COS132", release=NEW)
        await fall_silent(services)
        await services.provisional_readings().settle()
        assert await releases(services) == {NEW: False, OLD: False}
        async with services.database.transaction() as connection:
            row = await (await connection.execute("SELECT id FROM jobs WHERE status = 'queued'")).fetchone()
        assert row is not None
        await read_by(services, await read(services, row["id"]), "COS132", release=OLD)
        await services.provisional_readings().settle()
        assert await releases(services) == {OLD: False}


@pytest.mark.parametrize("confirmed_at", ["NULL", LONG_AGO], ids=["not yet confirmed", "confirmed"])
async def test_a_left_release_is_confirmed_anew_if_it_comes_back_before_all_it_read_was_settled(
    addresses: Addresses, confirmed_at: str
) -> None:
    old = opened(addresses, settings=of(OLD, read_again_max="1"))
    new = opened(addresses, settings=of(NEW, provisional_seconds="600"))
    async with old as services, new as returning:
        account_id = await new_account(services)
        for _ in range(2):
            await a_left_reading(services, account_id, "COS132")
        async with services.database.transaction() as connection:
            statement = f"INSERT INTO worker_releases VALUES (%s, {LONG_AGO}, {LONG_AGO}, {confirmed_at})"
            await connection.execute(statement.encode(), [NEW])
        await services.provisional_readings().settle()
        await returning.worker_release().renew()
        await returning.provisional_readings().settle()
        assert (await releases(services))[NEW] is False
        again = await read_by(services, await queued(services, account_id), "COS132", release=NEW)
        assert again.provisional_release == NEW


async def a_confirmed_release(services: Services) -> None:
    """A confirmed release that was left an hour ago."""
    async with services.database.transaction() as connection:
        statement = f"INSERT INTO worker_releases VALUES (%s, {LONG_AGO}, {LONG_AGO}, {LONG_AGO})"
        await connection.execute(statement.encode(), [NEW])


async def test_what_a_confirmed_release_read_is_not_read_again_if_it_is_left_before_its_marks_are_gone(
    addresses: Addresses,
) -> None:
    """The marks of a release are removed in several rounds."""
    async with opened(addresses, settings=of(OLD)) as services:
        job = await a_left_reading(services, await new_account(services), "COS132")
        await a_confirmed_release(services)
        await services.provisional_readings().settle()
        after = await read(services, job.id)
        assert (after.status, after.provisional_release) == (Status.COMPLETED, None)
        assert await releases(services) == {OLD: False}


async def test_a_confirmed_release_that_comes_back_before_its_marks_are_gone_is_confirmed_anew(
    addresses: Addresses,
) -> None:
    old = opened(addresses, settings=of(OLD) | {"JOBS_SWEEP_ROWS_MAX": "1"})
    new = opened(addresses, settings=of(NEW, provisional_seconds="600"))
    async with old as services, new as returning:
        account_id = await new_account(services)
        for _ in range(2):
            await a_left_reading(services, account_id, "COS132")
        await a_confirmed_release(services)
        await services.provisional_readings().settle()
        assert await releases(services) == {NEW: True, OLD: False}
        await returning.worker_release().renew()
        await returning.provisional_readings().settle()
        assert (await releases(services))[NEW] is False
        again = await read_by(services, await queued(services, account_id), "COS132", release=NEW)
        assert again.provisional_release == NEW


async def test_a_leader_does_not_wait_for_the_row_of_a_release_that_it_takes_for_left(addresses: Addresses) -> None:
    """The other leader locks its own release's row first, and may consider this leader's release left.

    Neither waits for the other.
    """
    async with opened(addresses, settings=of(OLD)) as services:
        await a_left_reading(services, await new_account(services), "COS132")
        await a_confirmed_release(services)
        async with services.database.transaction() as other:
            await other.execute("SELECT FROM worker_releases WHERE release = %s FOR UPDATE", [NEW])
            async with asyncio.timeout(10):
                await services.provisional_readings().settle()
        assert set(await releases(services)) == {OLD, NEW}
        await services.provisional_readings().settle()
        assert set(await releases(services)) == {OLD}


async def test_a_bounded_number_is_read_again_at_once_and_takes_no_place_from_uploads(addresses: Addresses) -> None:
    settings = of(OLD, read_again_max="3") | {"JOBS_PENDING_MAX": "1", "JOBS_PENDING_RESERVE": "0"}
    async with opened(addresses, settings=settings) as services:
        account_id = await new_account(services)
        for _ in range(5):
            await a_left_reading(services, account_id, "COS132")
        for _ in range(2):
            await services.provisional_readings().settle()
        async with services.database.transaction() as connection:
            rows = await (await connection.execute("SELECT FROM jobs WHERE status = 'queued'")).fetchall()
        assert len(rows) == 3
        await accept(services, account_id, a_document())
        with pytest.raises(QueueFull):
            await accept(services, account_id, a_document())


async def test_two_leaders_at_once_queue_each_job_once(addresses: Addresses) -> None:
    async with opened(addresses, settings=of(OLD)) as services:
        account_id = await new_account(services)
        jobs = [await a_left_reading(services, account_id, "COS132") for _ in range(5)]
        await asyncio.gather(*(services.provisional_readings().settle() for _ in range(4)))
        assert await services.redis_state.xlen("jobs") == len(jobs)


async def test_people_go_before_what_is_read_again_but_not_for_ever(addresses: Addresses) -> None:
    """The position that a visitor sees matches the order of the claims."""
    async with opened(addresses, settings=of(OLD)) as services:
        again = await a_left_reading(services, await new_account(services), "COS132")
        await services.provisional_readings().settle()
        person = await queued(services, await new_account(services))
        async with services.database.transaction() as connection:
            await ShareRepository(connection, OPTIONS).charge(person, 100)
        assert (await services.jobs.status(person.account_id, person.id)).position == 1
        assert (await services.jobs.status(again.account_id, again.id)).position == 2
        assert await whose_turn(services) == person.id
        await change(services, again.id, run_after="now() - interval '61 seconds'")
        assert await whose_turn(services) == again.id


async def whose_turn(services: Services) -> UUID | None:
    async with services.database.transaction() as connection:
        return await ShareRepository(connection, OPTIONS).fairest(with_slow=True)


async def test_reading_again_is_charged_to_no_visitor(addresses: Addresses) -> None:
    async with opened(addresses, settings=of(OLD)) as services:
        job = await a_left_reading(services, await new_account(services), "COS132")
        await services.provisional_readings().settle()
        run = await claim(services, job, release=OLD)
        async with services.database.transaction() as connection:
            await ShareRepository(connection, OPTIONS).charge(run, 5)
            rows = await (await connection.execute("SELECT FROM visitor_shares")).fetchall()
        assert rows == []


async def test_an_owner_who_queues_the_job_again_takes_it_over(addresses: Addresses) -> None:
    """It is then an upload like any other."""
    async with opened(addresses, settings=of(OLD)) as services:
        account_id, data = await new_account(services), a_document()
        job = (await accept(services, account_id, data)).job
        await read_by(services, job, "COS132", release=NEW)
        await change(services, job.id, reader_version="'older'")
        again = await accept(services, account_id, data)
        assert again.created
        assert not again.job.is_read_again


async def sent_again(services: Services, account_id: UUID) -> Job:
    """A document that an older reader read, uploaded again by its owner."""
    data = a_document()
    job = (await accept(services, account_id, data)).job
    await read_by(services, job, "COS132", release=None)
    await change(services, job.id, reader_version="'older'")
    return (await accept(services, account_id, data)).job


async def test_a_document_that_its_owner_sends_again_keeps_its_result_until_it_is_read(addresses: Addresses) -> None:
    """It behaves like a document that the service reads again."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        job = await sent_again(services, account_id)
        assert await services.jobs.timetable(account_id, job.id) == an_extraction("COS132")
        await read_by(services, job, "WTW114", release=None)
        assert await services.jobs.timetable(account_id, job.id) == an_extraction("WTW114")


async def test_a_document_sent_again_that_cannot_be_read_for_another_cause_keeps_its_result(
    addresses: Addresses,
) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        job = await sent_again(services, account_id)
        refused = await refused_by(services, job, DEFECT, release=OLD)
        assert refused.status is Status.COMPLETED
        timetable = await services.jobs.timetable(account_id, job.id)
        assert timetable.events == an_extraction("COS132").events
        (warning,) = timetable.warnings
        assert warning.message.startswith("This schedule is the one that was read from this file before, and reading")
        assert await count(services, "dead_letters") == 1


async def test_a_document_sent_again_without_a_schedule_has_no_entries(addresses: Addresses) -> None:
    """Calendars that contain it agree with the job."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        job = await sent_again(services, account_id)
        assert (await refused_by(services, job, IN_FILE, release=OLD)).status is Status.FAILED
        assert await count(services, "events") == 0


async def test_a_document_without_its_file_keeps_its_result_with_a_warning(addresses: Addresses) -> None:
    """If the same file is uploaded again, it is read again, although the reader may have the same version."""
    async with opened(addresses, settings=of(OLD)) as services:
        account_id, data = await new_account(services), a_document()
        job = (await accept(services, account_id, data)).job
        await read_by(services, job, "COS132", release=NEW)
        await change(services, job.id, object_key="NULL, stored_at = NULL")
        await fall_silent(services)
        await services.provisional_readings().settle()
        current = await read(services, job.id)
        assert (current.status, current.provisional_release) == (Status.COMPLETED, None)
        timetable = await services.jobs.timetable(account_id, job.id)
        assert timetable.events == an_extraction("COS132").events
        (warning,) = timetable.warnings
        assert "Upload the file again" in warning.message
        await services.provisional_readings().settle()
        assert await read(services, job.id) == current
        assert (await accept(services, account_id, data)).created


async def test_the_statements_of_the_release_before_work_beside_the_marks(addresses: Addresses) -> None:
    """The previous release does not use these columns. None of its readings counts as one of a left release (R12.3)."""
    async with opened(addresses, settings=of(OLD)) as services:
        job = await queued(services, await new_account(services))
        await move(
            services,
            job.id,
            "status = 'processing', attempt = attempt + 1, run = run + 1, started_at = now(), pages_read = 0,"
            " lease_until = now() + interval '8 seconds', version = version + 1",
            "status = 'completed', lease_until = NULL, finished_at = now(), pages = 1, pages_read = 1, warnings = '[]',"
            " reader_version = '1', version = version + 1",
        )
        await change(services, job.id, finished_at=LONG_AGO)
        await services.provisional_readings().settle()
        after = await read(services, job.id)
        assert (after.status, after.provisional_release) == (Status.COMPLETED, None)
