"""Expensive files do not delay other visitors, however their readings end."""

import signal
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.integration.conftest import StartScheduler, StartWorker
from tests.integration.processing.test_intake import accept
from tests.integration.worker.test_faults import QUICK, runs_of, until_exit, until_status
from tests.support.job_rows import read
from tests.support.services import Addresses, a_document, new_account, opened, until, until_final
from upschedule.processing.job import Status
from upschedule.services import Services

ATTACKER, HONEST = "198.51.100.1", "203.0.113.9"
#: A short reading suffices for `plain` documents, and is far too short for `busy` ones.
LANES = QUICK | {"JOBS_QUICK_CPU_SECONDS": "0.1", "WORKER_CPU_SECONDS_MAX": "2"}
TWO_AT_ONCE = LANES | {"WORKER_CONCURRENCY": "2", "WORKER_SLOW_CONCURRENCY": "1"}
#: A document that takes more than a child may ever use.
ENDLESS = "busy 60"

pytestmark = pytest.mark.usefixtures("scheduler")


@pytest.fixture
def scheduler(addresses: Addresses, start_scheduler: StartScheduler) -> None:
    start_scheduler(addresses, LANES)


async def upload(services: Services, text: str, *, address: str) -> tuple[UUID, UUID]:
    """Uploads as a new visitor."""
    account_id = await new_account(services)
    document = a_document(f"{text} {uuid4().hex}")
    return account_id, (await accept(services, account_id, document, address=address)).job.id


async def columns(services: Services, job_id: UUID, names: str) -> dict[str, Any]:
    async with services.database.transaction() as connection:
        statement = f"SELECT {names} FROM jobs WHERE id = %s"
        row = await (await connection.execute(statement.encode(), [job_id])).fetchone()
    assert row is not None
    return row


async def used(services: Services) -> list[float]:
    """The seconds used by addresses, the smallest first."""
    async with services.database.transaction() as connection:
        cursor = await connection.execute("SELECT used_seconds FROM address_shares ORDER BY used_seconds")
        return [row["used_seconds"] for row in await cursor.fetchall()]


async def until_slow_run(services: Services, account_id: UUID, job_id: UUID) -> None:
    async def reached() -> bool:
        job = await read(services, job_id)
        return job.slow and job.status is Status.PROCESSING

    await until(reached)


async def test_an_honest_upload_overtakes_the_expensive_files_of_another_address(
    addresses: Addresses, start_worker: StartWorker
) -> None:
    """Only readings that had begun before it are finished first."""
    async with opened(addresses, settings=LANES) as services:
        greedy = [await upload(services, ENDLESS, address=ATTACKER) for _ in range(30)]
        start_worker(addresses, TWO_AT_ONCE)
        await until_status(services, *greedy[5], Status.PROCESSING)
        honest = [await upload(services, "plain", address=HONEST) for _ in range(3)]
        final = [await until_final(services, *job) for job in honest]
        assert {one.status for one in final} == {Status.COMPLETED}
        first: datetime = (await columns(services, honest[0][1], "created_at"))["created_at"]
        last: datetime = (await columns(services, honest[-1][1], "started_at"))["started_at"]
        async with services.database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT count(*) AS runs FROM jobs WHERE address_hash <> (SELECT address_hash FROM jobs WHERE id = %s)"
                " AND (started_at BETWEEN %s AND %s OR demoted_from BETWEEN %s AND %s)",
                [honest[0][1], first, last, first, last],
            )
            row = await cursor.fetchone()
        assert row is not None
        # The worker may have received a message without having claimed its job yet, and one more job may be in a slow
        # place.
        assert row["runs"] <= 4


async def test_a_new_visitor_of_the_attackers_own_address_is_served(
    addresses: Addresses, start_worker: StartWorker
) -> None:
    """It is read after one short reading of each earlier visitor, and long before the slow readings.

    A visitor with a history is served at once.
    """
    async with opened(addresses, settings=LANES) as services:
        worker = start_worker(addresses, TWO_AT_ONCE)
        known, first_job = await upload(services, "plain", address=ATTACKER)
        assert (await until_final(services, known, first_job)).status is Status.COMPLETED
        greedy = [await upload(services, ENDLESS, address=ATTACKER) for _ in range(20)]
        newcomer = await upload(services, "plain", address=ATTACKER)
        again = (await accept(services, known, a_document(), address=ATTACKER)).job.id
        assert (await until_final(services, known, again)).status is Status.COMPLETED
        assert (await until_final(services, *newcomer)).status is Status.COMPLETED
        states = [(await read(services, job_id)).status for _, job_id in greedy]
        assert states.count(Status.QUEUED) >= 10
        started = [(await columns(services, job_id, "started_at"))["started_at"] for job_id in (again, newcomer[1])]
        assert started == sorted(started)
        assert worker.poll() is None


async def test_slow_documents_leave_a_place_for_short_ones_and_are_all_read(
    addresses: Addresses, start_worker: StartWorker
) -> None:
    """A slow document is read completely once a short reading was not enough. That attempt does not count."""
    async with opened(addresses, settings=LANES) as services:
        start_worker(addresses, TWO_AT_ONCE)
        slow = [await upload(services, "busy 0.6", address=ATTACKER) for _ in range(4)]
        for job in slow:
            final = await until_final(services, *job)
            assert (final.status, final.attempt) == (Status.COMPLETED, 1)
            assert await runs_of(services, job[1]) == 2
        async with services.database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT count(*) AS pairs FROM jobs AS one JOIN jobs AS other ON one.id < other.id"
                " WHERE (one.started_at, one.finished_at) OVERLAPS (other.started_at, other.finished_at)"
            )
            row = await cursor.fetchone()
        assert row is not None
        assert row["pairs"] == 0


async def test_readings_are_charged_with_what_they_used_whatever_became_of_them(
    addresses: Addresses, start_worker: StartWorker
) -> None:
    async with opened(addresses, settings=LANES) as services:
        start_worker(addresses, TWO_AT_ONCE)
        refused = await upload(services, ENDLESS, address=ATTACKER)
        plain = await upload(services, "plain", address=HONEST)
        final = await until_final(services, *refused)
        assert final.error is not None
        assert (final.error.code, final.error.in_file) == ("pdf-too-complex", True)
        assert (await until_final(services, *plain)).status is Status.COMPLETED
        cheap, dear = await used(services)
        assert cheap < 0.09
        assert 1.5 < dear < 3.5


async def test_a_worker_killed_in_a_slow_reading_loses_no_job_and_what_it_may_have_used_stays_charged(
    addresses: Addresses, start_worker: StartWorker
) -> None:
    """The lease of the killed worker ends (R1.2, R2.3)."""
    async with opened(addresses, settings=LANES) as services:
        long = TWO_AT_ONCE | {"WORKER_CPU_SECONDS_MAX": "30"}
        doomed = start_worker(addresses, long)
        account_id, job_id = await upload(services, "busy 1.5", address=ATTACKER)
        await until_slow_run(services, account_id, job_id)
        doomed.send_signal(signal.SIGKILL)
        await until_exit(doomed)
        start_worker(addresses, long)
        final = await until_final(services, account_id, job_id)
        assert (final.status, final.attempt) == (Status.COMPLETED, 2)
        assert await runs_of(services, job_id) == 3
        (charged,) = await used(services)
        assert charged > 30


async def test_a_worker_that_stops_in_a_slow_reading_claims_no_further_one(
    addresses: Addresses, start_worker: StartWorker
) -> None:
    async with opened(addresses, settings=LANES) as services:
        worker = start_worker(addresses, TWO_AT_ONCE | {"WORKER_CPU_SECONDS_MAX": "30"})
        slow = [await upload(services, "busy 1.5", address=ATTACKER) for _ in range(3)]

        async def all_demoted() -> bool:
            return all([(await read(services, job_id)).slow for _, job_id in slow])

        await until(all_demoted)
        worker.send_signal(signal.SIGTERM)
        assert await until_exit(worker) == 0
        states = [(await read(services, job_id)).status for _, job_id in slow]
        assert set(states) == {Status.COMPLETED, Status.QUEUED}
