"""Accepting files: what is refused, what is known, and what is counted."""

import asyncio
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.support.services import Addresses, a_document, new_account, opened
from upschedule.pdf import READER_VERSION
from upschedule.pdf.errors import EmptyFile, NotAPdf, TooLarge
from upschedule.processing.errors import AccountNotFound, QueueFull, QuotaExceeded
from upschedule.processing.intake import OBJECT_PREFIX, Accepted
from upschedule.processing.job import Status
from upschedule.services import Services


async def accept(
    services: Services, account_id: UUID, data: bytes, *, address: str | None = None, exempt: bool = False
) -> Accepted:
    return await services.intake.accept(
        account_id,
        file_name="a.pdf",
        data=data,
        request_id="r1",
        address=address,
        settings=services.settings,
        exempt=exempt,
    )


async def stored_bytes(services: Services, account_id: UUID) -> int:
    async with services.database.transaction() as connection:
        cursor = await connection.execute("SELECT stored_bytes FROM accounts WHERE id = %s", [account_id])
        row = await cursor.fetchone()
    assert row is not None
    return row["stored_bytes"]


async def object_keys(services: Services) -> set[str]:
    return {item.key for item in await services.objects.find(OBJECT_PREFIX)}


async def move(services: Services, job_id: UUID, *statements: str) -> None:
    """Brings a job to a state by transitions that the schema allows."""
    async with services.database.transaction() as connection:
        for statement in statements:
            await connection.execute(f"UPDATE jobs SET {statement} WHERE id = %s".encode(), [job_id])


CLAIMED = "status = 'processing', lease_until = now() + interval '1 hour', started_at = now(), run = run + 1"
COMPLETED = "status = 'completed', lease_until = NULL, finished_at = now(), pages = 1, reader_version = '{}'"
FAILED = """status = 'failed', lease_until = NULL, finished_at = now(), reader_version = '{}',
    error = '{{"code": "c", "title": "t", "detail": "d", "in_file": {}}}'"""


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"", EmptyFile), (b"GIF89a", NotAPdf), (b"%PDF-1.7\n" + bytes(2000), TooLarge)],
    ids=["empty", "not a PDF", "too large"],
)
async def test_what_cannot_be_a_schedule_is_refused_before_anything_is_stored(
    addresses: Addresses, data: bytes, error: type[Exception]
) -> None:
    """R11.3 lists the checks of an upload."""
    async with opened(addresses, settings={"UPLOADS_SIZE_BYTES_MAX": "1500"}) as services:
        account_id = await new_account(services)
        with pytest.raises(error):
            await accept(services, account_id, data)
        assert await object_keys(services) == set()


async def test_a_visitor_who_is_gone_leaves_no_object_behind(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        with pytest.raises(AccountNotFound):
            await accept(services, uuid4(), a_document())
        assert await object_keys(services) == set()


async def test_the_queue_is_bounded_exactly_under_concurrent_uploads(addresses: Addresses) -> None:
    """R2.2 limits the queue."""
    async with opened(addresses, settings={"LIMITS_UPLOADS_PER_HOUR": "1000"}) as services:
        accounts = [await new_account(services) for _ in range(20)]
        outcomes = await asyncio.gather(
            *(accept(services, accounts[number % 20], a_document()) for number in range(600)), return_exceptions=True
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, QueueFull)]
        assert len([outcome for outcome in outcomes if isinstance(outcome, Accepted)]) == 500
        assert len(refused) == 100
        assert all(1 <= outcome.retry_after_seconds <= 600 for outcome in refused)
        capacity = await services.intake.capacity(settings=services.settings)
        assert (capacity.queued, capacity.limit) == (500, 500)
        assert len(await object_keys(services)) == 500


async def test_the_quota_is_exact_under_concurrent_uploads_and_given_back(addresses: Addresses) -> None:
    """R11.4 limits the stored bytes."""
    documents = [a_document(f"plain {number:04}") for number in range(30)]
    size = len(documents[0])
    async with opened(addresses, settings={"UPLOADS_QUOTA_BYTES": str(10 * size + size // 2)}) as services:
        account_id = await new_account(services)
        outcomes = await asyncio.gather(
            *(accept(services, account_id, document) for document in documents), return_exceptions=True
        )
        taken = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
        assert len(taken) == 10
        assert len([outcome for outcome in outcomes if isinstance(outcome, QuotaExceeded)]) == 20
        assert await stored_bytes(services, account_id) == 10 * size
        assert len(await object_keys(services)) == 10
        await asyncio.gather(*(services.jobs.delete(account_id, one.job.id) for one in taken))
        assert await stored_bytes(services, account_id) == 0
        assert await object_keys(services) == set()


async def test_the_same_bytes_sent_at_once_are_one_job(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id, other_id, document = await new_account(services), await new_account(services), a_document()
        outcomes = await asyncio.gather(*(accept(services, account_id, document) for _ in range(20)))
        assert len({one.job.id for one in outcomes}) == 1
        assert [one.created for one in outcomes].count(True) == 1
        assert await stored_bytes(services, account_id) == len(document)
        assert len(await object_keys(services)) == 1
        others = await accept(services, other_id, document)
        assert others.created
        assert others.job.id != outcomes[0].job.id


async def test_known_bytes_with_an_answer_are_not_read_again(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        for ending in (COMPLETED.format(READER_VERSION), FAILED.format(READER_VERSION, "true")):
            document = a_document()
            first = await accept(services, account_id, document)
            await move(services, first.job.id, CLAIMED, ending)
            again = await accept(services, account_id, document)
            assert not again.created
            assert again.job.id == first.job.id
            assert again.job.is_final


async def test_known_bytes_without_an_answer_are_queued_again(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        document = a_document()
        first = await accept(services, account_id, document)
        for ending in (FAILED.format("1", "false"), COMPLETED.format("0"), FAILED.format("0", "true")):
            await move(services, first.job.id, CLAIMED, ending)
            again = await accept(services, account_id, document)
            assert again.created
            assert again.job.id == first.job.id
            assert (again.job.status, again.job.attempt, again.job.error) == (Status.QUEUED, 0, None)
            assert await stored_bytes(services, account_id) == len(document)
            assert await object_keys(services) == {again.job.object_key}


async def test_known_bytes_whose_file_was_deleted_are_stored_and_counted_again(addresses: Addresses) -> None:
    """R11.5 requires that files are deleted after a day."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        document = a_document()
        first = await accept(services, account_id, document)
        await services.objects.delete(first.job.object_key or "")
        await move(services, first.job.id, CLAIMED, FAILED.format("1", "false"), "object_key = NULL, stored_at = NULL")
        async with services.database.transaction() as connection:
            await connection.execute("UPDATE accounts SET stored_bytes = 0")
        again = await accept(services, account_id, document)
        assert await stored_bytes(services, account_id) == len(document)
        stored = await services.objects.get(again.job.object_key or "", size_bytes_max=10_000)
        assert stored == document


async def test_an_upload_needs_no_redis(addresses: Addresses) -> None:
    """The sweeper sends the wake-up message later (R2.2)."""
    away = msgspec.structs.replace(
        addresses, redis_state_url="redis://127.0.0.1:1", redis_cache_url="redis://127.0.0.1:1"
    )
    async with opened(away) as services:
        account_id = await new_account(services)
        accepted = await accept(services, account_id, a_document())
        status = await services.jobs.status(account_id, accepted.job.id)
        assert (status.status, status.position) == (Status.QUEUED, 1)


async def test_an_exempt_account_has_neither_quota_nor_reading_time_nor_a_bound_of_the_queue(
    addresses: Addresses,
) -> None:
    """Its jobs do not count in the queue either: as many visitors as before are accepted (R2.2, R11.4)."""
    limits = {
        "UPLOADS_QUOTA_BYTES": "60",
        "JOBS_PENDING_MAX": "1",
        "JOBS_PENDING_RESERVE": "0",
        "LIMITS_CPU_SECONDS_PER_ACCOUNT": "1",
    }
    async with opened(addresses, settings=limits) as services:
        exempt, visitor = await new_account(services), await new_account(services)
        async with services.database.transaction() as connection:
            await connection.execute("INSERT INTO exempt_accounts (account_id) VALUES (%s)", [exempt])
            await connection.execute(
                "INSERT INTO visitor_shares (account_id, used_seconds, used_at) VALUES (%s, 1000, now())", [exempt]
            )
        accepted = [await accept(services, exempt, a_document(), exempt=True) for _ in range(3)]
        assert all(each.created for each in accepted)
        assert await stored_bytes(services, exempt) > 60

        assert (await accept(services, visitor, a_document("one"))).created
        with pytest.raises(QueueFull):
            await accept(services, await new_account(services), a_document("two"))
        await move(services, accepted[0].job.id, CLAIMED, FAILED.format(READER_VERSION, "false"))
        again = await services.intake.retry(exempt, accepted[0].job.id, settings=services.settings, exempt=True)
        assert again.status is Status.QUEUED
