"""Jobs from upload to result, with the worker in this process."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from uuid import uuid4

import msgspec

from tests.support.sandbox.inspection import names_of_processes
from tests.support.sandbox.scripted_reader import golden
from tests.support.sandbox.scripted_worker import a_sandbox
from tests.support.services import Addresses, a_document, new_account, opened, until, until_final
from upschedule.metrics import JOB_STAGE_SECONDS
from upschedule.processing.job import Status
from upschedule.scheduler.app import schedule
from upschedule.settings.loading import load
from upschedule.worker.app import work


@asynccontextmanager
async def working(addresses: Addresses, settings: Mapping[str, str] | None = None) -> AsyncGenerator[None]:
    """Runs a worker and a scheduler."""
    process = load(addresses.environment(settings))
    process = msgspec.structs.replace(
        process,
        worker=msgspec.structs.replace(process.worker, port=0, drain_seconds=5),
        scheduler=msgspec.structs.replace(process.scheduler, port=0),
    )
    stop = asyncio.Event()
    async with (
        opened(addresses, role="worker", settings=settings) as services,
        opened(addresses, role="scheduler", settings=settings) as scheduling,
        asyncio.TaskGroup() as processes,
    ):
        processes.create_task(work(services, a_sandbox(), process, golden=[golden()], stop=stop))
        processes.create_task(schedule(scheduling, process, stop=stop))
        try:
            yield
        finally:
            stop.set()


async def test_an_upload_is_read_and_its_timetable_given(addresses: Addresses) -> None:
    """R1.1 requires it."""
    async with opened(addresses) as services, working(addresses):
        account_id = await new_account(services)
        accepted = await services.intake.accept(
            account_id, file_name="a.pdf", data=a_document("plain COS132"), request_id="r1", settings=services.settings
        )
        assert accepted.created
        final = await until_final(services, account_id, accepted.job.id)
        assert final.status is Status.COMPLETED
        timetable = await services.jobs.timetable(account_id, accepted.job.id)
        assert [event.module for event in timetable.events] == ["COS132"]


async def test_each_stage_of_a_job_is_measured(addresses: Addresses) -> None:
    """The stages are waiting, fetching, reading and storing, each measured once (R6.2)."""
    before = stages()
    async with opened(addresses) as services, working(addresses):
        account_id = await new_account(services)
        accepted = await services.intake.accept(
            account_id, file_name="a.pdf", data=a_document(), request_id="r1", settings=services.settings
        )
        await until_final(services, account_id, accepted.job.id)

    assert {stage: count - before.get(stage, 0) for stage, count in stages().items()} == {
        "waiting": 1,
        "fetching": 1,
        "reading": 1,
        "storing": 1,
    }


async def test_the_process_that_reads_a_document_is_named_after_the_request(addresses: Addresses) -> None:
    """The request id passes from the upload through the job to the sandbox (R6.3)."""
    request_id = uuid4().hex
    async with opened(addresses) as services, working(addresses):
        account_id = await new_account(services)
        document = a_document("slow 60 1 COS132")
        accepted = await services.intake.accept(
            account_id, file_name="a.pdf", data=document, request_id=request_id, settings=services.settings
        )
        await until_named(request_id[:15])
        await services.jobs.delete(account_id, accepted.job.id)


async def until_named(name: str) -> None:
    """Waits for a process of this name."""

    async def found() -> bool:
        return name in names_of_processes()

    await until(found)


def stages() -> dict[str, float]:
    """The number of measurements of each stage."""
    (family,) = JOB_STAGE_SECONDS.collect()
    return {each.labels["stage"]: each.value for each in family.samples if each.name.endswith("_count")}


async def test_a_hundred_small_files_at_once_are_each_read_once(addresses: Addresses) -> None:
    """Each of the files is read once (R1.1). `perf/hundred_uploads.py` measures the time."""
    async with opened(addresses) as services, working(addresses):
        accounts = [await new_account(services) for _ in range(100)]
        uploads = [
            services.intake.accept(
                account_id, file_name="a.pdf", data=a_document(), request_id=None, settings=services.settings
            )
            for account_id in accounts
        ]
        accepted = await asyncio.gather(*uploads)
        final = [
            await until_final(services, account_id, one.job.id)
            for account_id, one in zip(accounts, accepted, strict=True)
        ]
        assert {one.status for one in final} == {Status.COMPLETED}
        assert {one.attempt for one in final} == {1}


async def test_a_result_that_postgresql_cannot_hold_ends_as_failed(addresses: Addresses) -> None:
    """Retries cannot help (R2.1)."""
    settings = {"JOBS_BACKOFF_SECONDS_BASE": "0.1", "JOBS_SWEEP_SECONDS": "0.5"}
    async with opened(addresses) as services, working(addresses, settings):
        account_id = await new_account(services)
        document = a_document("plain NUL\x00")
        accepted = await services.intake.accept(
            account_id, file_name="a.pdf", data=document, request_id=None, settings=services.settings
        )
        final = await until_final(services, account_id, accepted.job.id)
        assert (final.status, final.attempt) == (Status.FAILED, 4)
