"""Watchers of a process share the statements that read their rows."""

import asyncio
from uuid import uuid4

import msgspec
import pytest

from tests.integration.stores.test_database import port_of, through
from tests.support.fault_proxy import FaultProxy
from tests.support.job_rows import change, queued
from tests.support.services import Addresses, new_account, opened, until
from upschedule.processing.row_reader import RowReader
from upschedule.services import Services
from upschedule.stores.errors import StoreError


def connections_taken(services: Services) -> int:
    return services.database.statistics().get("requests_num", 0)


async def test_two_hundred_who_ask_together_cost_one_transaction(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        account_id = await new_account(services)
        jobs = [await queued(services, account_id) for _ in range(200)]
        reader = RowReader(services.database, collect_seconds=0)
        before = connections_taken(services)
        read = await asyncio.gather(*(reader.get(job.id) for job in jobs))
        assert connections_taken(services) == before + 1
        assert [job.id for job in read if job] == [job.id for job in jobs]
        await reader.close()


async def test_a_job_that_does_not_exist_is_none_for_those_who_ask_for_it_only(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        job = await queued(services, await new_account(services))
        reader = RowReader(services.database, collect_seconds=0)
        found, missing = await asyncio.gather(reader.get(job.id), reader.get(uuid4()))
        assert found is not None
        assert missing is None
        await reader.close()


async def test_a_row_is_never_older_than_the_question(addresses: Addresses) -> None:
    """Others ask all the time meanwhile, so most questions arrive while a statement runs."""
    async with opened(addresses) as services:
        job = await queued(services, await new_account(services))
        reader = RowReader(services.database, collect_seconds=0)
        asked_enough = asyncio.Event()

        async def ask_again_and_again() -> None:
            while not asked_enough.is_set():
                await reader.get(job.id)

        others = [asyncio.create_task(ask_again_and_again()) for _ in range(20)]
        for version in range(50):
            await change(services, job.id, file_name=f"'{version}.pdf'")
            read = await reader.get(job.id)
            assert read is not None
            assert read.file_name == f"{version}.pdf"
        asked_enough.set()
        await asyncio.gather(*others)
        await reader.close()


async def test_a_watcher_that_leaves_takes_no_answer_from_others(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        job = await queued(services, await new_account(services))
        reader = RowReader(services.database, collect_seconds=0)
        leaving, staying = asyncio.create_task(reader.get(job.id)), asyncio.create_task(reader.get(job.id))
        await asyncio.sleep(0)
        leaving.cancel()
        assert await staying is not None
        assert leaving.cancelled()
        await reader.close()


async def test_all_who_ask_learn_that_the_database_is_away_and_the_next_are_answered(addresses: Addresses) -> None:
    async with FaultProxy(port_of(addresses.postgres_dsn)) as proxy:
        proxied = msgspec.structs.replace(addresses, postgres_dsn=through(addresses.postgres_dsn, proxy))
        async with opened(proxied, settings={"POSTGRES_WAIT_SECONDS": "1"}) as services:
            job = await queued(services, await new_account(services))
            reader = RowReader(services.database, collect_seconds=0)
            await proxy.refuse()
            for answer in await asyncio.gather(*(reader.get(job.id) for _ in range(3)), return_exceptions=True):
                assert isinstance(answer, StoreError)
            await proxy.restore()
            read = await until(lambda: reader.get(job.id))
            assert read is not None
            await reader.close()


async def test_a_reader_that_is_closed_ends_the_questions_that_are_open(addresses: Addresses) -> None:
    async with opened(addresses) as services:
        reader = RowReader(services.database, collect_seconds=3600)
        asking = asyncio.create_task(reader.get(uuid4()))
        await asyncio.sleep(0)
        await reader.close()
        with pytest.raises(asyncio.CancelledError):
            await asking
