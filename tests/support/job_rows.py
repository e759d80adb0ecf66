"""Rows of jobs for tests, put where a test needs them by the moves that the schema allows."""

from uuid import UUID, uuid4

from tests.support.builders.timetable import lecture
from upschedule.processing.job import Job
from upschedule.processing.repository import JobRepository, NewJob
from upschedule.processing.runs import RunRepository
from upschedule.services import Services
from upschedule.timetable.event import Extraction


def new_job(account_id: UUID, *, job_id: UUID | None = None, request_id: str | None = None) -> NewJob:
    """An upload of ten bytes, which is like no other one; its object does not exist."""
    return NewJob(
        id=job_id or uuid4(),
        account_id=account_id,
        sha256=uuid4().bytes,
        file_name="a.pdf",
        size_bytes=10,
        object_key=f"uploads/{account_id}/{uuid4()}.pdf",
        request_id=request_id,
    )


async def queued(services: Services, account_id: UUID, **columns: str) -> Job:
    """A queued row without an object and without a wake-up message; `columns` are SQL expressions."""
    async with services.database.transaction() as connection:
        job = await JobRepository(connection).insert(new_job(account_id))
    await change(services, job.id, **columns)
    return job


async def claimed(services: Services, account_id: UUID, *, lease_seconds: float = 60, **columns: str) -> Job:
    job = await queued(services, account_id)
    async with services.database.transaction() as connection:
        run = await RunRepository(connection).claim(job.id, lease_seconds=lease_seconds)
    assert run is not None
    await change(services, job.id, **columns)
    return run


async def change(services: Services, job_id: UUID, **columns: str) -> None:
    for column, expression in columns.items():
        async with services.database.transaction() as connection:
            await connection.execute(f"UPDATE jobs SET {column} = {expression} WHERE id = %s".encode(), [job_id])


async def read(services: Services, job_id: UUID) -> Job:
    async with services.database.transaction() as connection:
        job = await JobRepository(connection).get(job_id)
    assert job is not None
    return job


async def count(services: Services, table: str) -> int:
    async with services.database.transaction() as connection:
        row = await (await connection.execute(f"SELECT count(*) AS rows FROM {table}".encode())).fetchone()
    assert row is not None
    return row["rows"]


def an_extraction(*modules: str) -> Extraction:
    return Extraction(events=tuple(lecture(module=module) for module in modules), pages=2)
