"""Accepts uploads and retries: stores object and row, then sends the wake-up message. Refusals leave nothing behind.

It enforces the bounds of a file (R11.3), of an account's stored files (R11.4) and of the queue (R2.2).
"""

import asyncio
import hashlib
from collections.abc import Callable
from uuid import UUID

import msgspec

from upschedule.errors import Refusal
from upschedule.metrics import JOBS_ACCEPTED, UPLOADS_REFUSED
from upschedule.pdf.errors import EmptyFile, NotAPdf, TooLarge
from upschedule.processing.capacity import Capacity
from upschedule.processing.doorbell import Doorbell
from upschedule.processing.errors import AccountNotFound, FileGone, NotFailed, NothingToRetry, QueueFull, QuotaExceeded
from upschedule.processing.job import Job, Status
from upschedule.processing.queue import Queue
from upschedule.processing.repository import JobRepository, NewJob, Room
from upschedule.processing.shares import AddressHash, ShareOptions, ShareRepository
from upschedule.processing.status_events import StatusBroadcaster
from upschedule.settings import JobSettings, LimitSettings, Settings
from upschedule.stores.database import Database
from upschedule.stores.objects import ObjectStore

#: The prefix of the key of every uploaded file.
OBJECT_PREFIX = "uploads/"
# The PDF header may begin anywhere within the first kilobyte.
_HEADER_WITHIN_BYTES = 1024


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A received file."""

    account_id: UUID
    file_name: str
    data: bytes
    sha256: bytes
    request_id: str | None
    address_hash: bytes | None
    exempt: bool


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """`created` is False if the owner has a job for the same bytes that needs no new reading."""

    job: Job
    created: bool


class Intake:
    """One instance for each process. Methods take the settings of the request: operators may change limits."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        broadcaster: StatusBroadcaster,
        doorbell: Doorbell,
        queue: Queue,
        shares: ShareOptions,
        addresses: AddressHash,
        reader_version: str,
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._objects = objects
        self._broadcaster = broadcaster
        self._doorbell = doorbell
        self._queue = queue
        self._shares = shares
        self._addresses = addresses
        self._reader_version = reader_version
        self._new_id = new_id

    async def accept(
        self,
        account_id: UUID,
        *,
        file_name: str,
        data: bytes,
        request_id: str | None,
        address: str | None = None,
        settings: Settings,
        exempt: bool = False,
    ) -> Accepted:
        """Raises UnreadableDocument, QuotaExceeded, QueueFull, ReadingTimeUsedUp, AccountNotFound or StoreError.

        `address` is the client's, None if it is not known. A keyed hash of it is stored for a limited time. For an
        `exempt` account, quota, reading time and the bound of the queue do not apply.
        """
        try:
            _check_file(data, size_bytes_max=settings.uploads.size_bytes_max)
            digest = await asyncio.to_thread(hashlib.sha256, data)
            upload = Upload(
                account_id=account_id,
                file_name=file_name,
                data=data,
                sha256=digest.digest(),
                request_id=request_id,
                address_hash=self._addresses.of(address),
                exempt=exempt,
            )
            return await self._accept(upload, settings)
        except Refusal as refusal:
            UPLOADS_REFUSED.labels(cause=refusal.code).inc()
            raise

    async def _accept(self, upload: Upload, settings: Settings) -> Accepted:
        room = await self._room(settings.jobs)
        known = await self._known(upload, room, settings.limits)
        if known is not None:
            return self._counted(Accepted(job=known, created=False))
        accepted = await self._store(upload, room, quota_bytes=settings.uploads.quota_bytes)
        if accepted.created:
            await self._broadcaster.changed(accepted.job)
            await self._doorbell.ring(accepted.job.id)
        return self._counted(accepted)

    async def retry(
        self, account_id: UUID, job_id: UUID, *, address: str | None = None, settings: Settings, exempt: bool = False
    ) -> Job:
        """Queues a failed job again. Raises JobNotFound, NotFailed, NothingToRetry, FileGone and those of `accept`."""
        address_hash, room = self._addresses.of(address), await self._room(settings.jobs)
        budget = settings.limits.cpu_seconds_per_account
        async with self._database.transaction() as connection:
            jobs = JobRepository(connection)
            job = await jobs.lock_owned(account_id, job_id)
            if job.status is not Status.FAILED:
                raise NotFailed
            if job.answers(self._reader_version):
                raise NothingToRetry
            if job.object_key is None:
                raise FileGone
            if not exempt:
                await ShareRepository(connection, self._shares).check_budget(account_id, budget)
                await jobs.lock_queue()
                await jobs.check_room(account_id, address_hash, room)
            queued = await jobs.queue_again(
                job, object_key=job.object_key, request_id=job.request_id, address_hash=address_hash
            )
        await self._broadcaster.changed(queued)
        await self._doorbell.ring(job_id)
        return queued

    async def capacity(self, *, address: str | None = None, settings: Settings) -> Capacity:
        """The queue's length and speed for a new visitor from that address, at most a second old (R2.2)."""
        return await self._queue.capacity(self._addresses.of(address), pending_max=settings.jobs.pending_max)

    async def _room(self, settings: JobSettings) -> Room:
        capacity = await self._queue.capacity(pending_max=settings.pending_max)
        return Room(
            limit=settings.pending_max,
            reserve=settings.pending_reserve,
            retry_after_seconds=capacity.retry_after_seconds,
        )

    async def _known(self, upload: Upload, room: Room, limits: LimitSettings) -> Job | None:
        async with self._database.transaction() as connection:
            jobs = JobRepository(connection)
            job = await jobs.same_bytes(upload.account_id, upload.sha256)
            if job and job.answers(self._reader_version):
                return job
            if upload.exempt:
                return None
            # Not exact without the lock, but spares the object store uploads that would most likely be refused below.
            await jobs.check_room(upload.account_id, upload.address_hash, room)
            budget = limits.cpu_seconds_per_account
            await ShareRepository(connection, self._shares).check_budget(upload.account_id, budget)
        return None

    async def _store(self, upload: Upload, room: Room, *, quota_bytes: int) -> Accepted:
        """No row ever refers to a missing object. An object without a row is removed here or by retention."""
        object_key = f"{OBJECT_PREFIX}{upload.account_id}/{self._new_id()}.pdf"
        await self._objects.put(object_key, upload.data, content_type="application/pdf")
        try:
            async with self._database.transaction() as connection:
                jobs = JobRepository(connection)
                await jobs.lock_account(upload.account_id)
                known = await jobs.same_bytes(upload.account_id, upload.sha256)
                accepted = await self._admit(jobs, upload, known, object_key, room, quota_bytes=quota_bytes)
        except (AccountNotFound, QuotaExceeded, QueueFull):
            await self._objects.try_delete(object_key)
            raise
        superseded = object_key if not accepted.created else known and known.object_key
        if superseded:
            await self._objects.try_delete(superseded)
        return accepted

    async def _admit(
        self,
        jobs: JobRepository,
        upload: Upload,
        known: Job | None,
        object_key: str,
        room: Room,
        *,
        quota_bytes: int,
    ) -> Accepted:
        if known and known.answers(self._reader_version):
            return Accepted(job=known, created=False)
        if known is None or known.object_key is None:
            quota = None if upload.exempt else quota_bytes
            await jobs.charge(upload.account_id, len(upload.data), quota_bytes=quota)
        if not upload.exempt:
            await jobs.lock_queue()
            await jobs.check_room(upload.account_id, upload.address_hash, room)
        if known:
            job = await jobs.queue_again(
                known, object_key=object_key, request_id=upload.request_id, address_hash=upload.address_hash
            )
        else:
            job = await jobs.insert(_row(upload, self._new_id(), object_key))
        return Accepted(job=job, created=True)

    def _counted(self, accepted: Accepted) -> Accepted:
        JOBS_ACCEPTED.labels(outcome="created" if accepted.created else "known").inc()
        return accepted


def _check_file(data: bytes, *, size_bytes_max: int) -> None:
    if not data:
        raise EmptyFile
    if len(data) > size_bytes_max:
        raise TooLarge
    if b"%PDF-" not in data[:_HEADER_WITHIN_BYTES]:
        raise NotAPdf


def _row(upload: Upload, job_id: UUID, object_key: str) -> NewJob:
    return NewJob(
        id=job_id,
        account_id=upload.account_id,
        sha256=upload.sha256,
        file_name=upload.file_name,
        size_bytes=len(upload.data),
        object_key=object_key,
        request_id=upload.request_id,
        address_hash=upload.address_hash,
    )
