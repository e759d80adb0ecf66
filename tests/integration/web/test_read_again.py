"""The page and its forms while a document is read again."""

import asyncio
from uuid import UUID

import httpx

from tests.integration.processing.test_provisional import NEW, OLD, claim, fall_silent, of, read_by
from tests.integration.web.conftest import StartApi
from tests.support.job_rows import change, read
from tests.support.services import Addresses, opened
from tests.support.web.requests import pdf_like, upload
from upschedule.processing.job import Job, Status
from upschedule.services import Services

_TERMS = {"S1": {"start": "2025-02-10", "end": "2025-05-30"}}


async def a_document_of_a_left_release(services: Services, client: httpx.Client, module: str) -> Job:
    answer = await asyncio.to_thread(upload, client, pdf_like())
    return await read_by(services, await read(services, UUID(answer.json()["id"])), module, release=NEW)


async def test_a_document_stays_on_the_page_and_in_the_calendar_while_it_is_read_again(
    addresses: Addresses, start_api: StartApi
) -> None:
    """It is shown while it waits and while it is read. The form joins all documents that have a result (R12.3)."""
    api = start_api()
    with httpx.Client(base_url=api.url, timeout=30) as client:
        async with opened(addresses, settings=of(OLD)) as services:
            modules = ("COS 132", "WTW 114")
            jobs = [await a_document_of_a_left_release(services, client, module) for module in modules]
            body = {"jobs": [str(job.id) for job in jobs], "academic_year": {"year": 2025, "terms": _TERMS}}
            created = await asyncio.to_thread(lambda: client.post("/api/v1/calendars", json=body))
            assert created.status_code == 201, created.text
            await fall_silent(services)
            await services.provisional_readings().settle()
            waiting = [await read(services, job.id) for job in jobs]
            await claim(services, waiting[0], release=OLD)
            assert {(await read(services, job.id)).status for job in jobs} == {Status.QUEUED, Status.PROCESSING}

            chosen = {"module": list(modules), "show": modules[0]}
            answer = await asyncio.to_thread(lambda: client.post("/calendar/choices", data=chosen))
            assert answer.status_code == 303
            page = await asyncio.to_thread(client.get, "/")
            assert all(module in page.text for module in modules)
            path = created.headers["location"]
            after = (await asyncio.to_thread(client.get, path)).json()
            assert set(after["jobs"]) == {str(job.id) for job in jobs}


async def test_a_document_that_is_sent_again_stays_on_the_page_and_in_the_calendar(
    addresses: Addresses, start_api: StartApi
) -> None:
    """A newer reader reads it, and its owner changes a choice meanwhile (R12.3)."""
    api, modules, data = start_api(), ("COS 132", "WTW 114"), pdf_like()
    with httpx.Client(base_url=api.url, timeout=30) as client:
        async with opened(addresses) as services:
            sent = (await asyncio.to_thread(upload, client, data)).json()["id"]
            job = await read_by(services, await read(services, UUID(sent)), *modules, release=None)
            body = {"jobs": [sent], "academic_year": {"year": 2025, "terms": _TERMS}}
            created = await asyncio.to_thread(lambda: client.post("/api/v1/calendars", json=body))
            assert created.status_code == 201, created.text
            await change(services, job.id, reader_version="'older'")
            again = await asyncio.to_thread(upload, client, data)
            assert (again.status_code, again.json()["id"]) == (202, sent)

            chosen = {"module": list(modules), "show": modules[0]}
            answer = await asyncio.to_thread(lambda: client.post("/calendar/choices", data=chosen))
            assert answer.status_code == 303
            page = await asyncio.to_thread(client.get, "/")
            assert all(module in page.text for module in modules)
            after = (await asyncio.to_thread(client.get, created.headers["location"])).json()
            assert after["jobs"] == [sent]
