"""What people do with their jobs: the use cases, for the web and for whoever comes next."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from uuid import UUID

import msgspec

from upschedule.processing.capacity import Capacity
from upschedule.processing.doorbell import Doorbell
from upschedule.processing.errors import FileGone, JobNotFound, NotFailed, NothingToRetry
from upschedule.processing.intake import Accepted, Intake, IntakeLimits
from upschedule.processing.job import Job, JobStatus, Status, job_status
from upschedule.processing.publication import Publication
from upschedule.processing.queue import Queue
from upschedule.processing.reading import extraction_of
from upschedule.processing.removal import remove_object
from upschedule.processing.repository import JobRepository
from upschedule.processing.shares import AddressHash, ShareOptions, ShareRepository
from upschedule.processing.status_cache import StatusCache
from upschedule.processing.watch import Watches
from upschedule.stores.database import Database
from upschedule.stores.objects import ObjectStore
from upschedule.timetable.event import Extraction


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page of the list ended."""

    created_at: datetime
    job_id: UUID


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first; `next` is None on the last page."""

    jobs: tuple[JobStatus, ...]
    next: Cursor | None


class JobService:
    """One for the process. Every method raises StoreError when PostgreSQL is away; only `accept` needs the objects."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        cache: StatusCache,
        publication: Publication,
        doorbell: Doorbell,
        queue: Queue,
        watches: Watches,
        intake: Intake,
        limits: Callable[[], IntakeLimits],
        shares: ShareOptions,
        addresses: AddressHash,
        reader_version: str,
    ) -> None:
        self._database = database
        self._objects = objects
        self._cache = cache
        self._publication = publication
        self._doorbell = doorbell
        self._queue = queue
        self._watches = watches
        self._intake = intake
        self._limits = limits
        self._shares = shares
        self._addresses = addresses
        self._reader_version = reader_version

    async def accept(
        self, account_id: UUID, *, file_name: str, data: bytes, request_id: str | None, address: str | None = None
    ) -> Accepted:
        """Raises UnreadableDocument, QuotaExceeded, QueueFull, ReadingTimeUsedUp, AccountNotFound or StoreError.

        `address` is the client's, of which a keyed hash is kept for a limited time; None where it is not known.
        """
        return await self._intake.accept(
            account_id, file_name=file_name, data=data, request_id=request_id, address=address
        )

    async def status(self, account_id: UUID, job_id: UUID) -> JobStatus:
        """Raises JobNotFound, also for another owner's. From the cache where it can (R4.1, R4.2)."""
        job = await self._cache.get(job_id) or await self._read(job_id)
        return await self._told(account_id, job)

    async def fresh_status(self, account_id: UUID, job_id: UUID) -> JobStatus:
        """As `status`, but past the cache: for whoever must not meet what a lost invalidation left there."""
        return await self._told(account_id, await self._read(job_id))

    async def position(self, job_id: UUID) -> int | None:
        """Counts from 1; None once the job is no longer queued."""
        return await self._queue.position(job_id)

    async def recent(self, account_id: UUID, *, cursor: Cursor | None, limit: int) -> JobPage:
        """At most `limit` jobs, newest first, from where `cursor` ended."""
        before = (cursor.created_at, cursor.job_id) if cursor else None
        async with self._database.transaction() as connection:
            jobs = await JobRepository(connection).recent(account_id, before=before, limit=limit + 1)
        page = tuple([await self._told(account_id, job) for job in jobs[:limit]])
        last = page[-1] if len(jobs) > limit else None
        return JobPage(jobs=page, next=Cursor(created_at=last.created_at, job_id=last.id) if last else None)

    async def delete(self, account_id: UUID, job_id: UUID) -> None:
        """With the file, the entries and the room it took (R11.4). Raises JobNotFound. Fences off a run under way."""
        async with self._database.transaction() as connection:
            jobs = JobRepository(connection)
            job = await _owned(jobs, account_id, job_id)
            await jobs.delete(job_id)
            if job.object_key:
                await jobs.refund(account_id, job.size_bytes)
        await self._publication.removed(job_id)
        if job.object_key:
            await remove_object(self._objects, job.object_key)

    async def retry(self, account_id: UUID, job_id: UUID, *, address: str | None = None) -> JobStatus:
        """Raises JobNotFound, NotFailed, NothingToRetry, FileGone, ReadingTimeUsedUp, QueueFull."""
        capacity, limits, address_hash = await self._queue.capacity(), self._limits(), self._addresses.of(address)
        async with self._database.transaction() as connection:
            jobs = JobRepository(connection)
            job = await _owned(jobs, account_id, job_id)
            if job.status is not Status.FAILED:
                raise NotFailed
            if job.answers(self._reader_version):
                raise NothingToRetry
            if job.object_key is None:
                raise FileGone
            await ShareRepository(connection, self._shares).check_budget(account_id, limits.cpu_seconds)
            await jobs.lock_queue()
            await jobs.check_room(account_id, address_hash, limits.room(capacity.retry_after_seconds))
            queued = await jobs.queue_again(
                job, object_key=job.object_key, request_id=job.request_id, address_hash=address_hash
            )
        await self._publication.changed(queued)
        await self._doorbell.ring(job_id)
        return await self._told(account_id, queued)

    async def timetable(self, account_id: UUID, job_id: UUID) -> Extraction:
        """Raises JobNotFound, NotCompleted."""
        async with self._database.transaction() as connection:
            return await extraction_of(connection, account_id, job_id)

    async def capacity(self, *, address: str | None = None) -> Capacity:
        """The queue's length and speed for a newcomer of that address, at most a second old (R2.2)."""
        return await self._queue.capacity(self._addresses.of(address))

    def watch(self, account_id: UUID, job_id: UUID) -> AsyncGenerator[JobStatus]:
        """The status now and after every change, up to the final one or the end of the process. Raises JobNotFound."""
        return self._watches.follow(job_id, _Sight(self, account_id, job_id))

    def end_watches(self) -> None:
        """Call first when the process stops: every `watch` ends."""
        self._watches.end()

    async def _read(self, job_id: UUID) -> Job | None:
        async with self._database.transaction() as connection:
            job = await JobRepository(connection).get(job_id)
        if job:
            await self._cache.put(job)
        return job

    async def _told(self, account_id: UUID, job: Job | None) -> JobStatus:
        if job is None or job.account_id != account_id:
            raise JobNotFound
        queued = job.status is Status.QUEUED
        return job_status(job, position=await self._queue.position(job.id) if queued else None)


class _Sight:
    """A watcher's job."""

    def __init__(self, jobs: JobService, account_id: UUID, job_id: UUID) -> None:
        self._jobs = jobs
        self._account_id = account_id
        self._job_id = job_id

    async def look(self) -> JobStatus:
        return await self._jobs.fresh_status(self._account_id, self._job_id)

    async def move_up(self, status: JobStatus) -> JobStatus:
        position = await self._jobs.position(self._job_id)
        # No longer queued: the row says what it is now.
        return await self.look() if position is None else msgspec.structs.replace(status, position=position)


async def _owned(jobs: JobRepository, account_id: UUID, job_id: UUID) -> Job:
    await jobs.lock_account(account_id)
    job = await jobs.lock(account_id, job_id)
    if job is None:
        raise JobNotFound
    return job
