"""The page reads all documents of a visitor in one transaction, however many there are."""

from uuid import UUID

from tests.support.job_rows import an_extraction, claimed, queued
from tests.support.services import Addresses, new_account, opened
from upschedule.processing.job import Status
from upschedule.processing.runs import RunRepository
from upschedule.services import Services


async def completed(services: Services, account_id: UUID, *modules: str) -> UUID:
    run = await claimed(services, account_id)
    async with services.database.transaction() as connection:
        await RunRepository(connection).complete(run, an_extraction(*modules), reader_version="1")
    return run.id


async def test_results_of_the_newest_documents_come_with_them(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id, other = await new_account(services), await new_account(services)
        read = await completed(services, account_id, "COS132", "STK110")
        waiting = (await queued(services, account_id)).id
        await completed(services, other, "WTW114")
        found = await services.jobs.recent_results(account_id, limit=50)
        assert [job.id for job in found.jobs] == [waiting, read]
        assert [job.status for job in found.jobs] == [Status.QUEUED, Status.COMPLETED]
        assert set(found.results) == {read}
        assert found.results[read] == await services.jobs.timetable(account_id, read)


async def test_ten_documents_take_as_many_transactions_as_one(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        taken: list[int] = []
        for documents in (1, 9):
            for number in range(documents):
                await completed(services, account_id, f"COS{number}")
            before = services.database.statistics()["requests_num"]
            found = await services.jobs.recent_results(account_id, limit=50)
            taken.append(services.database.statistics()["requests_num"] - before)
        assert len(found.results) == 10
        assert taken == [1, 1]
