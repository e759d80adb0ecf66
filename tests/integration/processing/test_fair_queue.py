"""Tests which job is claimed next, what it is charged, and what the queue stores about an address."""

import asyncio
from uuid import UUID

import pytest

from tests.integration.processing.test_intake import accept
from tests.support.job_rows import an_extraction, change, claimed, count, queued, read
from tests.support.services import Addresses, a_document, new_account, opened
from upschedule.pdf import READER_VERSION
from upschedule.processing.errors import NothingToRetry, QueueFull, ReadingTimeUsedUp
from upschedule.processing.job import Job, JobError, Status
from upschedule.processing.runs import RunRepository
from upschedule.processing.shares import ShareOptions, ShareRepository
from upschedule.services import Services

OPTIONS = ShareOptions(quick_seconds=0.5, slow_seconds=10, half_life_seconds=600)
CAMPUS, HOME = "'campus'", "'home'"
IN_FILE = JobError(code="pdf-too-complex", title="t", detail="d", in_file=True)


async def a_job(services: Services, address: str | None = None, **columns: str) -> Job:
    """A queued job of a new visitor."""
    return await queued(services, await new_account(services), **_columns(address, columns))


def _columns(address: str | None, columns: dict[str, str]) -> dict[str, str]:
    return columns | ({"address_hash": address, "address_noted_at": "now()"} if address else {})


async def charge(services: Services, job: Job, seconds: float) -> None:
    async with services.database.transaction() as connection:
        await ShareRepository(connection, OPTIONS).charge(job, seconds)


async def turns(services: Services, *, with_slow: bool = True) -> list[UUID]:
    """Ids of all due jobs in the order in which they are claimed. Each is charged as a worker does it."""
    found: list[UUID] = []
    while True:
        async with services.database.transaction() as connection:
            shares = ShareRepository(connection, OPTIONS)
            job_id = await shares.fairest(with_slow=with_slow)
            if job_id is None:
                return found
            job = await RunRepository(connection).claim(job_id, lease_seconds=60)
            assert job is not None
            await shares.charge(job, OPTIONS.cost(job))
            found.append(job_id)


async def test_addresses_take_turns_and_who_has_used_much_waits(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        greedy = [await a_job(services, CAMPUS) for _ in range(4)]
        await charge(services, greedy[0], 2)
        honest = [await a_job(services, HOME) for _ in range(5)]
        found = await turns(services)
        assert found[:4] == [job.id for job in honest[:4]]
        assert set(found) == {job.id for job in greedy + honest}


async def test_of_one_address_visitors_with_a_history_come_first_and_greedy_ones_last(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        first, second = [await a_job(services, CAMPUS) for _ in range(2)]
        greedy = await a_job(services, CAMPUS, established="true")
        known = await a_job(services, CAMPUS, established="true")
        slow = await a_job(services, CAMPUS, slow="true")
        await charge(services, greedy, 3)
        assert await turns(services) == [known.id, first.id, second.id, greedy.id, slow.id]


async def test_slow_jobs_are_left_where_their_places_are_taken(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        slow, short = await a_job(services, HOME, slow="true"), await a_job(services, CAMPUS)
        await charge(services, short, 100)
        assert await turns(services, with_slow=False) == [short.id]
        assert (await read(services, slow.id)).status is Status.QUEUED


async def test_what_was_used_counts_half_after_the_half_life_and_can_be_given_back(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        job = await a_job(services, CAMPUS)
        await charge(services, job, 8)
        async with services.database.transaction() as connection:
            await connection.execute("UPDATE address_shares SET used_at = now() - interval '20 minutes'")
            assert await ShareRepository(connection, OPTIONS).used_by_address(b"campus") == pytest.approx(2)
        await charge(services, job, -1.5)
        async with services.database.transaction() as connection:
            assert await ShareRepository(connection, OPTIONS).used_by_address(b"campus") == pytest.approx(0.5, abs=0.01)
        await charge(services, job, -100)
        async with services.database.transaction() as connection:
            assert await ShareRepository(connection, OPTIONS).used_by_address(b"campus") == 0


async def test_deleting_a_job_does_not_make_its_cost_forgotten(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        accepted = await accept(services, account_id, a_document(), address="198.51.100.7")
        await charge(services, accepted.job, 5)
        await services.jobs.delete(account_id, accepted.job.id)
        assert (await count(services, "address_shares"), await count(services, "visitor_shares")) == (1, 1)


async def test_of_many_who_claim_at_once_each_gets_another_job(addresses: Addresses) -> None:
    """R2.3 requires that no job is claimed twice."""
    async with opened(addresses) as services:
        jobs = [await a_job(services, CAMPUS if number % 2 else HOME) for number in range(12)]
        found = await asyncio.gather(*(turns(services) for _ in range(6)))
        claims = [job_id for mine in found for job_id in mine]
        assert sorted(claims) == sorted(job.id for job in jobs)


async def test_a_visitor_has_a_history_once_a_document_of_his_was_read(addresses: Addresses) -> None:
    async def established(services: Services, job_id: UUID) -> bool:
        async with services.database.transaction() as connection:
            row = await (await connection.execute("SELECT established FROM jobs WHERE id = %s", [job_id])).fetchone()
        assert row is not None
        return row["established"]

    async with opened(addresses) as services:
        account_id = await new_account(services)
        first = (await accept(services, account_id, a_document())).job
        second = (await accept(services, account_id, a_document())).job
        for job in (first, second):
            async with services.database.transaction() as connection:
                runs = RunRepository(connection)
                run = await runs.claim(job.id, lease_seconds=60)
                assert run is not None
                await runs.fail(run, IN_FILE, traceback="t", reader_version="older")
        assert not await established(services, (await accept(services, account_id, a_document())).job.id)
        completed = await claimed(services, account_id)
        async with services.database.transaction() as connection:
            await RunRepository(connection).complete(completed, an_extraction("COS132"), reader_version="1")
        assert await established(services, (await accept(services, account_id, a_document())).job.id)
        await services.intake.retry(account_id, first.id, settings=services.settings)
        assert await established(services, first.id)


async def test_an_address_is_known_by_a_keyed_hash_in_postgresql_only_and_for_a_day(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        job = (await accept(services, account_id, a_document(), address="198.51.100.7")).job
        other = (await accept(services, account_id, a_document(), address="198.51.100.8")).job
        await charge(services, job, 1)
        await services.jobs.status(account_id, job.id)
        async with services.database.transaction() as connection:
            rows = await (await connection.execute("SELECT address_hash FROM jobs ORDER BY created_at")).fetchall()
        hashes = [bytes(row["address_hash"]) for row in rows]
        assert [len(digest) for digest in hashes] == [32, 32]
        assert hashes[0] != hashes[1]
        for redis in (services.redis_state, services.redis_cache):
            held = [await redis.dump(key) or b"" for key in await redis.keys()]
            assert held
            for digest in hashes:
                assert not [body for body in held if digest in body or digest.hex().encode() in body]
            assert not [body for body in held if b"198.51.100" in body]
        await services.retention().remove_old()
        assert await count(services, "address_shares") == 1
        await change(services, job.id, address_noted_at="now() - interval '24 hours 1 minute'")
        async with services.database.transaction() as connection:
            await connection.execute("UPDATE address_shares SET noted_at = now() - interval '24 hours 1 minute'")
            await connection.execute("UPDATE visitor_shares SET used_at = now() - interval '24 hours 1 minute'")
        await services.retention().remove_old()
        async with services.database.transaction() as connection:
            rows = await (await connection.execute("SELECT id FROM jobs WHERE address_hash IS NOT NULL")).fetchall()
        assert [row["id"] for row in rows] == [other.id]
        assert (await count(services, "address_shares"), await count(services, "visitor_shares")) == (0, 0)


async def test_an_address_that_fills_the_queue_leaves_room_for_others(addresses: Addresses) -> None:
    """This also holds while several addresses fill it, and for visitors of the same address with a history (R2.2)."""
    settings = {"JOBS_PENDING_MAX": "6", "JOBS_PENDING_RESERVE": "4"}
    async with opened(addresses, settings=settings) as services:

        async def upload(address: str | None, account_id: UUID | None = None) -> None:
            account_id = account_id or await new_account(services)
            await accept(services, account_id, a_document(), address=address)

        known = await new_account(services)
        completed = await claimed(services, known)
        async with services.database.transaction() as connection:
            await RunRepository(connection).complete(completed, an_extraction("COS132"), reader_version="1")
        for address, places in (("198.51.100.1", 6), ("198.51.100.2", 2)):
            for _ in range(places):
                await upload(address)
            with pytest.raises(QueueFull, match="from your network"):
                await upload(address)
        with pytest.raises(QueueFull, match="Too many schedules are"):
            await upload(None)
        await upload("198.51.100.1", known)
        await upload("198.51.100.3")
        with pytest.raises(QueueFull, match="Too many schedules are"):
            await upload("198.51.100.4")


async def test_a_visitor_whose_readings_took_too_long_waits_with_uploads_and_retries(addresses: Addresses) -> None:
    """The result of the readings makes no difference (R5.1)."""
    async with opened(addresses, settings={"LIMITS_CPU_SECONDS_PER_ACCOUNT": "4"}) as services:
        account_id = await new_account(services)
        run = await claimed(services, account_id)
        async with services.database.transaction() as connection:
            assert await RunRepository(connection).fail(run, IN_FILE, traceback="t", reader_version="older")
        await charge(services, run, 8)
        with pytest.raises(ReadingTimeUsedUp) as refused:
            await accept(services, account_id, a_document())
        assert refused.value.retry_after_seconds == pytest.approx(600, abs=2)
        with pytest.raises(ReadingTimeUsedUp):
            await services.intake.retry(account_id, run.id, settings=services.settings)
        async with services.database.transaction() as connection:
            await connection.execute("UPDATE visitor_shares SET used_at = now() - interval '601 seconds'")
        await services.intake.retry(account_id, run.id, settings=services.settings)
        await accept(services, account_id, a_document())


async def test_what_this_reader_refused_is_not_read_again_by_it(addresses: Addresses) -> None:
    """A newer reader may read it, and causes outside the file may disappear (R2.1)."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        passing = JobError(code="reading-failed", title="t", detail="d", in_file=False)
        outcomes = [(IN_FILE, READER_VERSION, False), (IN_FILE, "older", True), (passing, READER_VERSION, True)]
        for error, version, may_retry in outcomes:
            run = await claimed(services, account_id)
            async with services.database.transaction() as connection:
                assert await RunRepository(connection).fail(run, error, traceback="t", reader_version=version)
            if may_retry:
                assert (
                    await services.intake.retry(account_id, run.id, settings=services.settings)
                ).status is Status.QUEUED
                continue
            with pytest.raises(NothingToRetry):
                await services.intake.retry(account_id, run.id, settings=services.settings)
            assert (await read(services, run.id)).status is Status.FAILED


async def test_a_demoted_job_is_due_at_once_and_stays_slow(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        run = await claimed(services, account_id)
        async with services.database.transaction() as connection:
            demoted = await RunRepository(connection).demote(run)
            assert await RunRepository(connection).demote(run) is None
        assert demoted is not None
        assert (demoted.status, demoted.slow, demoted.attempt, demoted.run) == (Status.QUEUED, True, 0, 1)
        assert await turns(services, with_slow=False) == []
        assert await turns(services) == [run.id]
        current = await read(services, run.id)
        async with services.database.transaction() as connection:
            failed = await RunRepository(connection).fail(current, IN_FILE, traceback="t", reader_version="older")
        assert failed is not None
        await services.intake.retry(account_id, run.id, settings=services.settings)
        assert (await read(services, run.id)).slow


async def test_position_and_capacity_are_honest_behind_slow_files(addresses: Addresses) -> None:
    """The estimate uses the measured times of short and slow readings, for the job of the visitor who asks (R2.2)."""
    async with opened(addresses) as services:
        for _ in range(20):
            await accept(services, await new_account(services), a_document(), address="198.51.100.7")
        async with services.database.transaction() as connection:
            # All end at one time, so that the measured rate does not depend on the speed of the machine.
            await connection.execute(
                "UPDATE jobs SET slow = true, demoted_from = now() - interval '4 seconds', demoted_at = now()"
            )
        waiting = [
            (await accept(services, await new_account(services), a_document(), address="198.51.100.7")).job
            for _ in range(10)
        ]
        await charge(services, waiting[0], 20)
    async with opened(addresses) as services:
        own = await services.intake.capacity(address="198.51.100.7", settings=services.settings)
        # Twenty short readings ended in four seconds, some at the same time.
        assert (own.queued, own.slow) == (30, 20)
        assert own.rate_per_minute == pytest.approx(300, rel=0.3)
        assert own.wait_seconds == pytest.approx(2, rel=0.4)
        # No slow job has ended, so each is expected to take the maximum time.
        assert own.retry_after_seconds == 10
        other = await services.intake.capacity(address="203.0.113.9", settings=services.settings)
        assert (other.queued, other.wait_seconds) == (30, 0)
        account_id = await new_account(services)
        honest = (await accept(services, account_id, a_document(), address="203.0.113.9")).job
        assert (await services.jobs.status(account_id, honest.id)).position == 1
        assert (await services.jobs.status(waiting[0].account_id, waiting[0].id)).position == 11
