"""Data past their time are removed, and no other data."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import psycopg

from tests.integration.processing.test_intake import accept, object_keys, stored_bytes
from tests.support.job_rows import an_extraction, change, claimed, count, queued
from tests.support.servers import Database
from tests.support.services import Addresses, a_document, new_account, opened, until
from upschedule.processing.intake import Accepted
from upschedule.processing.runs import RunRepository
from upschedule.services import Services
from upschedule.stores.stream import StreamName
from upschedule.stores.stream_trim import trim

JOBS = StreamName(stream="jobs", group="workers")


async def completed(services: Services, accepted: Accepted) -> None:
    async with services.database.transaction() as connection:
        run = await RunRepository(connection).claim(accepted.job.id, lease_seconds=60)
        assert run is not None
        await RunRepository(connection).complete(run, an_extraction("COS132"), reader_version="1")


async def test_files_go_after_a_day_and_their_room_is_given_back_but_the_events_stay(addresses: Addresses) -> None:
    """R11.4 and R11.5 define the quota and the time."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        old, young = [await accept(services, account_id, a_document()) for _ in range(2)]
        for accepted, age in ((old, "24 hours 1 minute"), (young, "23 hours 59 minutes")):
            await completed(services, accepted)
            await change(services, accepted.job.id, stored_at=f"now() - interval '{age}'")
        await services.retention().remove_old()
        assert await object_keys(services) == {young.job.object_key}
        assert await stored_bytes(services, account_id) == young.job.size_bytes
        assert await services.jobs.timetable(account_id, old.job.id) == an_extraction("COS132")


async def test_the_file_of_a_job_that_still_waits_stays(addresses: Addresses) -> None:
    """R11.5 applies to jobs that have ended."""
    async with opened(addresses) as services:
        accepted = await accept(services, await new_account(services), a_document())
        await change(services, accepted.job.id, stored_at="now() - interval '2 days'")
        await services.retention().remove_old()
        assert await object_keys(services) == {accepted.job.object_key}


async def test_what_people_deleted_is_noted_until_no_backup_would_bring_it_back(
    addresses: Addresses, database: Database
) -> None:
    """A deletion is noted by table and id only, also when the account is deleted.

    The note is removed after ten days (decision 42).
    """
    async with opened(addresses) as services:
        account_id = await new_account(services)
        accepted = await accept(services, account_id, a_document())
        async with services.database.transaction() as connection:
            await connection.execute("DELETE FROM accounts WHERE id = %s", [account_id])
        assert noted(database) == {("accounts", account_id), ("jobs", accepted.job.id)}
        with psycopg.connect(database.owner_dsn) as owner:
            owner.execute("UPDATE deletions SET deleted_at = now() - interval '10 days 1 minute' WHERE kind = 'jobs'")
            owner.execute("UPDATE deletions SET deleted_at = now() - interval '9 days' WHERE kind = 'accounts'")
        await services.retention().remove_old()
        assert noted(database) == {("accounts", account_id)}


def noted(database: Database) -> set[tuple[str, UUID]]:
    with psycopg.connect(database.owner_dsn) as connection:
        return set(connection.execute("SELECT kind, row_id FROM deletions").fetchall())


async def test_dead_letters_are_kept_for_a_day(addresses: Addresses) -> None:
    """R2.5 requires them for debugging."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        for age in ("23 hours", "25 hours"):
            run = await claimed(services, account_id, attempt="4", lease_until="now() - interval '1 second'")
            await services.sweeper().sweep()
            async with services.database.transaction() as connection:
                await connection.execute(
                    f"UPDATE dead_letters SET failed_at = now() - interval '{age}' WHERE job_id = %s".encode(), [run.id]
                )
        await services.retention().remove_old()
        assert await count(services, "dead_letters") == 1


async def test_messages_go_after_an_hour_whatever_became_of_them(addresses: Addresses) -> None:
    """The state of a message makes no difference (R2.4)."""
    async with opened(addresses) as services:
        redis = services.redis_state
        now_ms = int((await redis.time())[0]) * 1000
        await redis.xadd("jobs", {"data": "old"}, id=f"{now_ms - 3_700_000}-0")
        await redis.xadd("jobs", {"data": "young"}, id=f"{now_ms - 3_000_000}-0")
        await redis.xgroup_create("jobs", "workers", id="0")
        await redis.xreadgroup("workers", "dead", {"jobs": ">"}, count=2)
        await services.retention().remove_old()
        assert await redis.xlen("jobs") == 1


async def test_deliveries_and_consumers_long_silent_are_forgotten(addresses: Addresses) -> None:
    """Otherwise the group would grow without a limit (R2.4)."""
    async with opened(addresses) as services:
        redis = services.redis_state
        await redis.xadd("jobs", {"data": "x"})
        await redis.xgroup_create("jobs", "workers", id="0")
        await redis.xreadgroup("workers", "dead", {"jobs": ">"}, count=1)

        async def consumers_removed() -> bool:
            return (await redis.xinfo_consumers("jobs", "workers"))[0]["idle"] > 50

        await until(consumers_removed)
        # With the clock in 1970 only the deliveries are old, and the message is not.
        assert await trim(redis, JOBS, older_than_seconds=0.05, now=lambda: 0) == 0
        assert (await redis.xpending("jobs", "workers"))["pending"] == 0
        assert await redis.xinfo_consumers("jobs", "workers") == []
        assert await redis.xlen("jobs") == 1


async def test_an_empty_redis_needs_no_trimming(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        assert await trim(services.redis_state, JOBS, older_than_seconds=1) == 0


async def test_objects_without_a_row_go_once_no_upload_can_still_be_under_way(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        accepted = await accept(services, await new_account(services), a_document())
        await services.objects.put("uploads/x/orphan.pdf", b"%PDF-", content_type="application/pdf")
        await services.retention().remove_orphans()
        assert len(await object_keys(services)) == 2
        await services.retention(now=lambda: datetime.now(UTC) + timedelta(minutes=61)).remove_orphans()
        assert await object_keys(services) == {accepted.job.object_key}


async def test_a_store_that_is_away_holds_up_only_its_own_part(addresses: Addresses) -> None:
    away = msgspec.structs.replace(addresses, redis_state_url="redis://127.0.0.1:1", objects_endpoint="127.0.0.1:1")
    async with opened(addresses) as services:
        account_id = await new_account(services)
        accepted = await accept(services, account_id, a_document())
        await completed(services, accepted)
        await change(services, accepted.job.id, stored_at="now() - interval '25 hours'")
    async with opened(away) as services:
        await queued(services, account_id)
        await services.retention().remove_old()
        assert await stored_bytes(services, account_id) == 0
