"""Rows that students report as wrong: kept for operators, with the file where the student agreed."""

from uuid import UUID

from tests.integration.processing.test_intake import accept, object_keys
from tests.integration.processing.test_retention import completed
from tests.support.job_rows import an_extraction, change, count
from tests.support.services import Addresses, a_document, new_account, opened
from upschedule.services import Services

_EVENT = an_extraction("COS132").events[0]


async def _reported(services: Services, account_id: UUID, *, with_file: bool) -> str:
    """The key of a file that is past its time, of whose document a row was reported."""
    accepted = await accept(services, account_id, a_document())
    await completed(services, accepted)
    await change(services, accepted.job.id, stored_at="now() - interval '25 hours'")
    assert (
        await services.reports.add(account_id, accepted.job.id, _EVENT, remark="No.", with_file=with_file) == with_file
    )
    return accepted.job.object_key or ""


async def _age(services: Services, statement: str) -> None:
    async with services.database.transaction() as connection:
        await connection.execute(f"UPDATE row_reports SET {statement}".encode())


async def test_a_file_stays_as_long_as_its_owner_agreed_and_the_report_longer(
    addresses: Addresses, postgres_owner_dsn: str
) -> None:
    """(R11.5) The file for fourteen days, the row for ninety."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        agreed = await _reported(services, account_id, with_file=True)
        await _reported(services, account_id, with_file=False)
        await services.retention().remove_old()
        assert await object_keys(services) == {agreed}
        await _age(services, "file_until = file_until - interval '14 days'")
        await services.retention().remove_old()
        assert await object_keys(services) == set()
        assert await count(services, "row_reports") == 2
        await _age(services, "created_at = now() - interval '90 days 1 minute'")
        await services.retention().remove_old()
        assert await count(services, "row_reports") == 0


async def test_a_report_outlives_its_document_without_the_file_and_not_its_account(addresses: Addresses) -> None:
    """A removed document takes its file along, whatever was agreed."""
    async with opened(addresses) as services:
        account_id = await new_account(services)
        await _reported(services, account_id, with_file=True)
        [job] = (await services.jobs.recent(account_id, cursor=None, limit=9)).jobs
        await services.jobs.delete(account_id, job.id)
        assert await object_keys(services) == set()
        [row] = (await services.operator_questions().wrong_rows()).rows
        assert (row.job_id, row.event, row.remark, row.file_until) == (None, _EVENT, "No.", None)
        async with services.database.transaction() as connection:
            await connection.execute("DELETE FROM accounts WHERE id = %s", [account_id])
        assert await count(services, "row_reports") == 0
