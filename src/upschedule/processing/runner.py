"""Runs one job: claims it, fetches the file, reads it, stores the result, and decides what a failure means."""

import asyncio
import random
import time
import traceback
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from upschedule.backoff import jittered
from upschedule.metrics import (
    ATTEMPT_SECONDS,
    DEAD_LETTERS,
    EVENTS_READ,
    JOB_SECONDS,
    JOB_STAGE_SECONDS,
    JOBS_FINISHED,
    PAGES_READ,
    READINGS,
    SPENT_SECONDS,
    STALE_RESULTS,
)
from upschedule.pdf.sandbox import Sandbox
from upschedule.pdf.sandbox.errors import QuantumUsedUp
from upschedule.processing.doorbell import Doorbell
from upschedule.processing.errors import FileGone, ReadingTimedOut
from upschedule.processing.job import Job
from upschedule.processing.progress import JobProgress
from upschedule.processing.retry_policy import GiveUp, RetryPolicy, after_failure
from upschedule.processing.runs import RunRepository
from upschedule.processing.shares import ShareOptions, ShareRepository
from upschedule.processing.status_events import StatusBroadcaster
from upschedule.settings import Settings
from upschedule.spent_time import counting, fields, spent
from upschedule.stores.bucket import ObjectMissing
from upschedule.stores.database import Connection, Database
from upschedule.stores.errors import StoreError
from upschedule.stores.lease import LeaseLost, while_held
from upschedule.stores.objects import ObjectStore
from upschedule.timetable.event import Extraction

_log = structlog.get_logger(__name__)

_STORE_AGAIN_SECONDS_MAX = 1.0


class _Run:
    """A job under way and the processor time that its reading used, None while that is unknown."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.spent_seconds: float | None = 0.0

    def reading_started(self) -> None:
        self.spent_seconds = None

    def reading_used(self, seconds: float) -> None:
        self.spent_seconds = seconds


class Runner:
    """Runs jobs for the worker, which bounds how many run concurrently."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        broadcaster: StatusBroadcaster,
        doorbell: Doorbell,
        sandbox: Sandbox,
        settings: Settings,
        retries: RetryPolicy,
        shares: ShareOptions,
        reader_version: str,
        release: str | None = None,
        roll: Callable[[], float] = random.random,
    ) -> None:
        """`release` is the worker's; without one its results are final at once."""
        self._database = database
        self._objects = objects
        self._broadcaster = broadcaster
        self._doorbell = doorbell
        self._sandbox = sandbox
        self._settings = settings
        self._retries = retries
        self._shares = shares
        self._reader_version = reader_version
        self._release = release
        self._roll = roll
        self._under_way: set[asyncio.Task[None]] = set()
        self._claiming = asyncio.Lock()
        self._slow = 0
        self._stopped = False

    async def run(self) -> None:
        """Runs the fairest due job, if there is one. Raises StoreError only if no job was claimed.

        After a slow job it runs another one, whose message may have arrived while no slow place was free.
        """
        while (job := await self.run_one()) and job.slow:
            pass

    async def run_one(self) -> Job | None:
        """Runs the fairest due job and returns it as it was claimed; None if there is none. Raises as `run` does."""
        job = None if self._stopped else await self._claim()
        if job is None:
            return None
        attempt = asyncio.create_task(self._attempt(_Run(job)))
        self._under_way.add(attempt)
        attempt.add_done_callback(self._under_way.discard)
        try:
            await attempt
        finally:
            self._slow -= job.slow
        return job

    def stop(self) -> None:
        """Claims no more jobs; runs under way continue."""
        self._stopped = True

    async def _claim(self) -> Job | None:
        """Charges the most that the reading may use. The end of the run corrects that, unless the worker is killed."""
        # One claim at a time, so that slow jobs are counted exactly.
        async with self._claiming:
            async with self._database.transaction() as connection:
                shares = ShareRepository(connection, self._shares)
                job_id = await shares.fairest(with_slow=self._slow < self._settings.worker.slow_concurrency)
                if job_id is None:
                    return None
                job = await RunRepository(connection).claim(
                    job_id, lease_seconds=self._settings.jobs.lease_seconds, release=self._release
                )
                if job is None:
                    return None
                await shares.charge(job, self._shares.cost(job))
            self._slow += job.slow
        if job.started_at and job.run_after:
            _stage("waiting", (job.started_at - job.run_after).total_seconds())
        return job

    async def give_back(self) -> None:
        """Cancels every run under way and queues its job again at once, without counting the attempt."""
        self.stop()
        for attempt in list(self._under_way):
            attempt.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _attempt(self, run: _Run) -> None:
        job = run.job
        structlog.contextvars.bind_contextvars(
            job_id=str(job.id), run=job.run, account_id=str(job.account_id), request_id=job.request_id
        )
        with counting() as parts:
            started_at = time.monotonic()
            outcome = await self._outcome(run)
            seconds = time.monotonic() - started_at
        ATTEMPT_SECONDS.labels(outcome=outcome).observe(seconds)
        JOBS_FINISHED.labels(outcome=outcome).inc()
        for part, spent_seconds in parts.items():
            SPENT_SECONDS.labels(part=part).observe(spent_seconds)
        _log.info(
            "run_ended",
            outcome=outcome,
            seconds=round(seconds, 3),
            processor_seconds=run.spent_seconds,
            **fields(parts),
        )

    async def _outcome(self, run: _Run) -> str:
        """Reads the document and stores what follows from it."""
        job = run.job
        try:
            await self._broadcaster.changed(job)
            return await while_held(self._read_and_store(run), partial(self._renew, job), self._settings.jobs)
        except LeaseLost:
            return _stale()
        except asyncio.CancelledError:
            await self._settle(run, self._give_back)
            return "given-back"
        except QuantumUsedUp:
            return await self._settle(run, self._demote)
        except Exception as error:  # noqa: BLE001 - after any error the job must reach a correct state
            return await self._settle(run, partial(self._failed, error=error))

    async def _renew(self, job: Job) -> bool:
        async with self._database.transaction() as connection:
            return await RunRepository(connection).renew(
                job,
                lease_seconds=self._settings.jobs.lease_seconds,
                attempt_seconds_max=self._settings.jobs.attempt_seconds_max,
            )

    async def _read_and_store(self, run: _Run) -> str:
        extraction = await self._read(run)
        while True:
            try:
                return await self._store(run, extraction)
            except StoreError as error:
                # This ends with the lease, which needs the same database. Reading again would cost far more.
                _log.warning("result_not_stored", reason=error.reason)
                await asyncio.sleep(jittered(_STORE_AGAIN_SECONDS_MAX, 0.8, self._roll()))

    async def _read(self, run: _Run) -> Extraction:
        job, shares = run.job, self._shares
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.jobs.attempt_seconds_max
        progress = JobProgress(job, self._database, self._broadcaster)
        try:
            async with asyncio.timeout_at(deadline):
                with JOB_STAGE_SECONDS.labels(stage="fetching").time():
                    data = await self._objects.get(
                        job.object_key or "", size_bytes_max=self._settings.uploads.size_bytes_max
                    )
                run.reading_started()
                with spent("sandbox"), JOB_STAGE_SECONDS.labels(stage="reading").time():
                    return await self._sandbox.read(
                        data,
                        deadline_seconds=deadline - loop.time(),
                        on_progress=progress.report,
                        cpu_seconds=None if job.slow else shares.quick_seconds,
                        on_spent=run.reading_used,
                        reference=job.request_id or "",
                    )
        except TimeoutError as error:
            raise ReadingTimedOut from error
        except ObjectMissing as error:
            raise FileGone from error

    async def _store(self, run: _Run, extraction: Extraction) -> str:
        with JOB_STAGE_SECONDS.labels(stage="storing").time():
            async with self._database.transaction() as connection:
                completed = await RunRepository(connection).complete(
                    run.job, extraction, reader_version=self._reader_version
                )
                if completed:
                    await self._correct_charge(connection, run)
        if completed is None:
            return _stale()
        PAGES_READ.inc(extraction.pages)
        layout = extraction.layout
        READINGS.labels(layout=layout, outcome="warned" if extraction.warnings else "read").inc()
        EVENTS_READ.labels(layout=layout).observe(len(extraction.events))
        await self._finished(run, completed)
        return "completed"

    async def _correct_charge(self, connection: Connection, run: _Run) -> None:
        """Replaces what the claim charged by what the reading used."""
        if run.spent_seconds is not None:
            shares = self._shares
            difference = run.spent_seconds - shares.cost(run.job)
            await ShareRepository(connection, shares).charge(run.job, difference)

    async def _settle(self, run: _Run, how: Callable[[_Run], Awaitable[str]]) -> str:
        try:
            return await how(run)
        except Exception:  # noqa: BLE001 - after any error here the lease expires, and the sweeper settles the run
            _log.warning("run_not_settled", exc_info=True)
            return "unsettled"

    async def _give_back(self, run: _Run) -> str:
        async with self._database.transaction() as connection:
            queued = await RunRepository(connection).give_back(run.job)
            if queued:
                await self._correct_charge(connection, run)
        if queued:
            await self._broadcaster.changed(queued)
            await self._doorbell.ring(queued.id)
        return "given-back"

    async def _demote(self, run: _Run) -> str:
        async with self._database.transaction() as connection:
            queued = await RunRepository(connection).demote(run.job)
            if queued:
                await self._correct_charge(connection, run)
        if queued is None:
            return _stale()
        await self._broadcaster.changed(queued)
        await self._doorbell.ring(queued.id)
        return "demoted"

    async def _failed(self, run: _Run, *, error: Exception) -> str:
        job = run.job
        decision = after_failure(job, error, self._retries, self._roll())
        if not isinstance(decision, GiveUp):
            _log.warning("run_failed", attempt=job.attempt, retry_seconds=decision.delay_seconds, exc_info=error)
            async with self._database.transaction() as connection:
                queued = await RunRepository(connection).retry_later(job, delay_seconds=decision.delay_seconds)
                if queued:
                    await self._correct_charge(connection, run)
            if queued:
                await self._broadcaster.changed(queued)
            return "retried" if queued else _stale()
        report = _log.warning if decision.error.in_file else _log.error
        report("job_failed", code=decision.error.code, exc_info=error)
        async with self._database.transaction() as connection:
            failed = await RunRepository(connection).fail(
                job,
                decision.error,
                traceback="".join(traceback.format_exception(error)),
                reader_version=self._reader_version,
            )
            if failed:
                await self._correct_charge(connection, run)
        if failed is None:
            return _stale()
        READINGS.labels(layout="unknown", outcome=decision.error.code).inc()
        DEAD_LETTERS.labels(cause=decision.error.code).inc()
        await self._finished(run, failed)
        return "refused" if decision.error.in_file else "failed"

    async def _finished(self, run: _Run, job: Job) -> None:
        if job.finished_at and not run.job.is_read_again:
            JOB_SECONDS.observe((job.finished_at - job.created_at).total_seconds())
        await self._broadcaster.changed(job)


def _stage(stage: str, seconds: float) -> None:
    JOB_STAGE_SECONDS.labels(stage=stage).observe(max(0.0, seconds))


def _stale() -> str:
    STALE_RESULTS.inc()
    return "stale"
