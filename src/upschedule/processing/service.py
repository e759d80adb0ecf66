"""Use cases of a job's owner: read and watch the status, list, read the result, delete. `intake.py` adds jobs."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import msgspec

from upschedule.processing.errors import JobNotFound
from upschedule.processing.job import Job, JobStatus, Status, job_status
from upschedule.processing.position_watch import PositionWatch
from upschedule.processing.queue import Queue
from upschedule.processing.repository import JobRepository
from upschedule.processing.row_reader import RowReader
from upschedule.processing.status_cache import StatusCache
from upschedule.processing.status_events import StatusBroadcaster
from upschedule.stores.database import Database
from upschedule.stores.objects import ObjectStore
from upschedule.timetable.event import Extraction

#: Between two looks at the positions of the jobs that are watched.
_POSITIONS_SECONDS = 1.0
#: Until a watch reads the row again: it matters only after a lost event.
POLL_SECONDS = 5.0
#: Such a read may wait until others come due: it is not what a person waits for.
_POLL_TOGETHER_SECONDS = 0.1
_DELETED_AT_ONCE = 100


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """The last job of a page of the list."""

    created_at: datetime
    job_id: UUID


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first; `next` is None on the last page."""

    jobs: tuple[JobStatus, ...]
    next: Cursor | None


class RecentResults(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs, newest first, and the results by job."""

    jobs: tuple[JobStatus, ...]
    results: Mapping[UUID, Extraction]


class JobService:
    """One instance for each process. Every method raises StoreError while PostgreSQL is unavailable.

    A job of another owner is treated as absent: JobNotFound.
    """

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        cache: StatusCache,
        broadcaster: StatusBroadcaster,
        queue: Queue,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._database = database
        self._objects = objects
        self._cache = cache
        self._broadcaster = broadcaster
        self._queue = queue
        self._poll_seconds = poll_seconds
        self._watches_ended = asyncio.Event()
        self._announced_rows = RowReader(database, collect_seconds=0)
        self._polled_rows = RowReader(database, collect_seconds=_POLL_TOGETHER_SECONDS)
        self._positions = PositionWatch(queue, pause_seconds=_POSITIONS_SECONDS)

    async def status(self, account_id: UUID, job_id: UUID) -> JobStatus:
        """Reads the status from the cache if it holds the job (R4.1, R4.2). Raises JobNotFound."""
        job = await self._cache.get(job_id) or await self._read(job_id)
        return await self.with_position(_owned(job, account_id))

    async def with_position(self, job: Job) -> JobStatus:
        """The status of a job that the caller has just read."""
        queued = job.status is Status.QUEUED
        return job_status(job, position=await self._queue.position(job.id) if queued else None)

    async def recent(self, account_id: UUID, *, cursor: Cursor | None, limit: int) -> JobPage:
        """At most `limit` jobs, newest first, starting where `cursor` ended."""
        before = (cursor.created_at, cursor.job_id) if cursor else None
        async with self._database.reading() as connection:
            jobs = await JobRepository(connection).recent(account_id, before=before, limit=limit + 1)
        page = tuple([await self.with_position(job) for job in jobs[:limit]])
        last = page[-1] if len(jobs) > limit else None
        return JobPage(jobs=page, next=Cursor(created_at=last.created_at, job_id=last.id) if last else None)

    async def recent_results(self, account_id: UUID, *, limit: int) -> RecentResults:
        """At most `limit` jobs, newest first, with the results of those that have one: two statements at most."""
        async with self._database.transaction() as connection:
            repository = JobRepository(connection)
            jobs = await repository.recent(account_id, before=None, limit=limit)
            results = await repository.extractions(account_id, [job.id for job in jobs]) if jobs else {}
        return RecentResults(jobs=tuple([await self.with_position(job) for job in jobs]), results=results)

    async def timetable(self, account_id: UUID, job_id: UUID) -> Extraction:
        """Raises JobNotFound or NotCompleted."""
        async with self._database.reading() as connection:
            return await JobRepository(connection).extraction(account_id, job_id)

    async def delete(self, account_id: UUID, job_id: UUID) -> None:
        """Deletes the job, its file and its entries, and refunds the quota (R11.4). Raises JobNotFound.

        A run under way can no longer store its result.
        """
        async with self._database.transaction() as connection:
            jobs = JobRepository(connection)
            job = await jobs.lock_owned(account_id, job_id)
            await jobs.delete(job_id)
            if job.object_key:
                await jobs.refund(account_id, job.size_bytes)
        await self._broadcaster.removed(job_id)
        if job.object_key:
            await self._objects.try_delete(job.object_key)

    async def delete_all(self, account_id: UUID) -> None:
        """Deletes every job of the account, as `delete` does. May be repeated where it was interrupted."""
        while True:
            page = await self.recent(account_id, cursor=None, limit=_DELETED_AT_ONCE)
            if not page.jobs:
                return
            for job in page.jobs:
                with suppress(JobNotFound):
                    await self.delete(account_id, job.id)

    async def watch(self, account_id: UUID, job_id: UUID) -> AsyncGenerator[JobStatus]:
        """The status now and after every change, up to the final one or `end_watches`. Raises JobNotFound."""
        with (
            self._broadcaster.watching(job_id) as changed,
            self._positions.watching(job_id, changed) as watcher,
        ):
            job = _owned(await self._announced_rows.get(job_id), account_id)
            await self._cache.put(job)
            status = await self.with_position(job)
            yield status
            while not (status.is_final or self._watches_ended.is_set()):
                announced = await _set_within(changed, self._poll_seconds)
                position = watcher.take()
                if position is not None and status.status is Status.QUEUED:
                    # If the job was claimed at the same moment, the next look finds it without a position.
                    current = msgspec.structs.replace(status, position=position)
                else:
                    rows = self._announced_rows if announced else self._polled_rows
                    known, job = job, _owned(await rows.get(job_id), account_id)
                    if job.version != known.version:
                        # The entry of the cache is stale if its update was lost.
                        await self._cache.put(job)
                    current = await self.with_position(job)
                if current != status:
                    status = current
                    yield status

    def end_watches(self) -> None:
        """Ends every `watch`. Call it first when the process stops: an open stream would delay that for ever."""
        self._watches_ended.set()
        self._broadcaster.wake_all()

    async def close(self) -> None:
        """Ends the reads of watches that are still open."""
        self.end_watches()
        await self._positions.close()
        await self._announced_rows.close()
        await self._polled_rows.close()

    async def _read(self, job_id: UUID) -> Job | None:
        async with self._database.reading() as connection:
            job = await JobRepository(connection).get(job_id)
        if job:
            await self._cache.put(job)
        return job


def _owned(job: Job | None, account_id: UUID) -> Job:
    if job is None or job.account_id != account_id:
        raise JobNotFound
    return job


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Waits for the event, clears it, and returns whether it was set in time."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    was_set = event.is_set()
    event.clear()
    return was_set
