"""The scheduler deletes accounts and calendars that were not used for eighteen months, and nothing else."""

from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from tests.support.identities import as_process
from tests.support.servers import Database
from tests.support.services import Addresses, new_account, opened
from upschedule.accounts.session_repository import SessionRepository
from upschedule.services import LiveSettings, Services, open_services
from upschedule.settings.loading import load

_LEAVE = "UPDATE accounts SET used_at = now() - make_interval(days => %s) WHERE id = %s"
_JOB = """
    INSERT INTO jobs (id, account_id, sha256, file_name, size_bytes, status, pages, finished_at)
    VALUES (gen_random_uuid(), %s, '1', 'a.pdf', 1, 'completed', 1, now())
"""
_DELETE = "SELECT delete_unused_accounts(now(), 500)"


async def _left_for(services: Services, days: int) -> UUID:
    account_id = await new_account(services)
    async with services.database.transaction() as connection:
        await connection.execute(_JOB, (account_id,))
        await connection.execute(_LEAVE, (days, account_id))
    return account_id


async def _remaining(services: Services, table: str, column: str) -> set[UUID]:
    async with services.database.transaction() as connection:
        rows = await (await connection.execute(f"SELECT {column} AS id FROM {table}".encode())).fetchall()
    return {row["id"] for row in rows}


async def test_an_unused_account_leaves_with_all_that_was_read(addresses: Addresses) -> None:
    """A visit in between keeps an account. The scheduler has its own names and passwords."""
    live = LiveSettings(load(as_process(addresses.environment(), "scheduler")))
    async with opened(addresses) as services, open_services(live, role="scheduler") as scheduler:
        unused, used = await _left_for(services, 549), await _left_for(services, 547)
        visited = await _left_for(services, 549)
        async with services.database.transaction() as connection:
            now = (await (await connection.execute("SELECT now() AS now")).fetchall())[0]["now"]
            await SessionRepository(connection).create(b"1", visited, now, browser="")
        await scheduler.account_retention().remove_old()

        for table, column in (("accounts", "id"), ("jobs", "account_id")):
            assert await _remaining(services, table, column) == {used, visited}, table
        assert unused not in {used, visited}


async def test_the_database_keeps_what_was_used_within_thirty_days(addresses: Addresses, database: Database) -> None:
    """This is independent of the time that the scheduler passes. No other process may call the function."""
    async with opened(addresses) as services:
        recent = await _left_for(services, 29)
        await _left_for(services, 31)
        with psycopg.connect(database.process_dsns["scheduler"]) as scheduler:
            assert scheduler.execute(_DELETE).fetchone() == (1,)
        assert await _remaining(services, "accounts", "id") == {recent}
    for process in ("api", "worker"):
        with psycopg.connect(database.process_dsns[process]) as other, pytest.raises(errors.InsufficientPrivilege):
            other.execute(_DELETE)
