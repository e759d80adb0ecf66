"""One run of one job: claim, fetch, read, store; its lease is renewed meanwhile, and its failure is decided here."""

import asyncio
import random
import time
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol
from uuid import UUID

import msgspec
import structlog

from upschedule.metrics import ATTEMPT_SECONDS, JOB_SECONDS, JOBS_FINISHED, PAGES_READ, STALE_RESULTS
from upschedule.processing.doorbell import Doorbell
from upschedule.processing.errors import FileGone, ReadingTimedOut
from upschedule.processing.failure import GiveUp, RetryPolicy, after_failure
from upschedule.processing.job import Job
from upschedule.processing.lease import LeaseLost, LeaseOptions, while_held
from upschedule.processing.progress import Progress
from upschedule.processing.publication import Publication
from upschedule.processing.runs import RunRepository
from upschedule.stores.database import Database
from upschedule.stores.errors import StoreError
from upschedule.stores.objects import ObjectMissing, ObjectStore
from upschedule.timetable.event import Extraction

_log = structlog.get_logger(__name__)

_STORE_AGAIN_SECONDS_MAX = 1.0


class DocumentReader(Protocol):
    """The sandbox, as seen from here."""

    async def read(
        self, data: bytes, *, deadline_seconds: float, on_progress: Callable[[int, int], Awaitable[None] | None]
    ) -> Extraction:
        """Raises UnreadableDocument for a cause in the file; after any other error it is tried again."""
        ...


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a run; `size_bytes_max` is what an upload may be."""

    attempt_seconds_max: float
    size_bytes_max: int
    lease: LeaseOptions
    retries: RetryPolicy
    reader_version: str


class Runner:
    """Runs jobs for the worker, which bounds how many at once."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        publication: Publication,
        doorbell: Doorbell,
        reader: DocumentReader,
        options: RunOptions,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._objects = objects
        self._publication = publication
        self._doorbell = doorbell
        self._reader = reader
        self._options = options
        self._roll = roll
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, job_id: UUID) -> None:
        """Does nothing where the job is not due or another has it. Raises StoreError only where nothing was claimed."""
        async with self._database.transaction() as connection:
            job = await RunRepository(connection).claim(job_id, lease_seconds=self._options.lease.lease_seconds)
        if job is None:
            return
        attempt = asyncio.create_task(self._attempt(job))
        self._under_way.add(attempt)
        attempt.add_done_callback(self._under_way.discard)
        await attempt

    async def give_back(self) -> None:
        """Stops every run under way and queues its job again at once, without counting the attempt."""
        for attempt in list(self._under_way):
            attempt.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _attempt(self, job: Job) -> None:
        structlog.contextvars.bind_contextvars(
            job_id=str(job.id), run=job.run, account_id=str(job.account_id), request_id=job.request_id
        )
        started_at = time.monotonic()
        try:
            await self._publication.changed(job)
            outcome = await while_held(self._read_and_store(job), partial(self._renew, job), self._options.lease)
        except LeaseLost:
            outcome = _stale()
        except asyncio.CancelledError:
            outcome = "given-back"
            await self._settle(job, self._queue_at_once)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the job must end in a right state
            outcome = await self._settle(job, partial(self._failed, error=error))
        ATTEMPT_SECONDS.labels(outcome=outcome).observe(time.monotonic() - started_at)
        JOBS_FINISHED.labels(outcome=outcome).inc()
        _log.info("run_ended", outcome=outcome, seconds=round(time.monotonic() - started_at, 3))

    async def _renew(self, job: Job) -> bool:
        async with self._database.transaction() as connection:
            return await RunRepository(connection).renew(
                job,
                lease_seconds=self._options.lease.lease_seconds,
                attempt_seconds_max=self._options.attempt_seconds_max,
            )

    async def _read_and_store(self, job: Job) -> str:
        extraction = await self._read(job)
        while True:
            try:
                return await self._store(job, extraction)
            except StoreError as error:
                # Ends with the lease, which needs the same database. Reading again would cost far more.
                _log.warning("result_not_stored", reason=error.reason)
                await asyncio.sleep(_STORE_AGAIN_SECONDS_MAX * (0.2 + 0.8 * self._roll()))

    async def _read(self, job: Job) -> Extraction:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.attempt_seconds_max
        progress = Progress(job, self._database, self._publication)
        try:
            async with asyncio.timeout_at(deadline):
                data = await self._objects.get(job.object_key or "", size_bytes_max=self._options.size_bytes_max)
                return await self._reader.read(
                    data, deadline_seconds=deadline - loop.time(), on_progress=progress.report
                )
        except TimeoutError as error:
            raise ReadingTimedOut from error
        except ObjectMissing as error:
            raise FileGone from error

    async def _store(self, job: Job, extraction: Extraction) -> str:
        async with self._database.transaction() as connection:
            completed = await RunRepository(connection).complete(
                job, extraction, reader_version=self._options.reader_version
            )
        if completed is None:
            return _stale()
        PAGES_READ.inc(extraction.pages)
        await self._ended(completed)
        return "completed"

    async def _settle(self, job: Job, how: Callable[[Job], Awaitable[str]]) -> str:
        try:
            return await how(job)
        except Exception:  # noqa: BLE001 - the lease runs out, and the sweeper settles it whatever stood in the way here
            _log.warning("run_not_settled", exc_info=True)
            return "unsettled"

    async def _queue_at_once(self, job: Job) -> str:
        async with self._database.transaction() as connection:
            queued = await RunRepository(connection).give_back(job)
        if queued:
            await self._publication.changed(queued)
            await self._doorbell.ring(job.id)
        return "given-back"

    async def _failed(self, job: Job, *, error: Exception) -> str:
        decision = after_failure(job, error, self._options.retries, self._roll())
        if not isinstance(decision, GiveUp):
            _log.warning("run_failed", attempt=job.attempt, retry_seconds=decision.delay_seconds, exc_info=error)
            async with self._database.transaction() as connection:
                queued = await RunRepository(connection).retry_later(job, delay_seconds=decision.delay_seconds)
            if queued:
                await self._publication.changed(queued)
            return "retried" if queued else _stale()
        report = _log.warning if decision.error.in_file else _log.error
        report("job_failed", code=decision.error.code, exc_info=error)
        async with self._database.transaction() as connection:
            failed = await RunRepository(connection).fail(
                job,
                decision.error,
                traceback="".join(traceback.format_exception(error)),
                reader_version=self._options.reader_version,
            )
        if failed is None:
            return _stale()
        await self._ended(failed)
        return "refused" if decision.error.in_file else "failed"

    async def _ended(self, job: Job) -> None:
        if job.finished_at:
            JOB_SECONDS.observe((job.finished_at - job.created_at).total_seconds())
        await self._publication.changed(job)


def _stale() -> str:
    STALE_RESULTS.inc()
    return "stale"
