"""How fast a queued job starts, and how many jobs a second one process runs, beside two queues of other people.

    uv run python -m perf.bench_queue
    uv run python -m perf.bench_queue --rounds 5 --jobs 2000

The jobs do nothing, so the figures are those of the queues. All three use the same PostgreSQL and Redis, one process
that both queues and runs jobs, and the same number of places.

- ours: a row in PostgreSQL and a wake-up message in Redis. A run is claimed in the fair order under a lease, its file
  is fetched from the object store, its result is stored in a transaction that a stale run cannot commit, and each
  change of state is published and cached.
- taskiq: the stream broker of taskiq-redis as it is. A message is all that there is: no state, no order, no lease. A
  message that Redis loses is a lost job.
- procrastinate: rows in PostgreSQL and LISTEN/NOTIFY. It has states and retries; a job of a worker that was killed
  stays "doing" until an operator's task retries it.

The wait is from the call that queues a job to its start, at a steady rate. The throughput is measured with all jobs
queued before the first one starts. The processor time is that of this process, without the servers.
"""

import argparse
import asyncio
import importlib.metadata
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from typing import NamedTuple, Self, cast
from uuid import uuid4

import procrastinate
from taskiq.receiver import Receiver
from taskiq_redis import RedisStreamBroker

from tests.support.job_rows import new_job
from tests.support.servers import fresh_bucket, fresh_database, make_template, scratch_directory, started
from tests.support.services import Addresses, a_document, new_account, opened
from upschedule import logging
from upschedule.operations.embedded.ports import free_port
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.embedded.valkey import CACHE, STATE, Valkey
from upschedule.pdf.sandbox import Sandbox
from upschedule.processing.repository import JobRepository
from upschedule.stores.objects import ObjectStore
from upschedule.timetable.event import Extraction
from upschedule.worker.app import work

PLACES = 4
RATE_A_SECOND = 20.0
SECONDS_MAX = 300.0


class Started:
    """When each job started, by its number; `all_started` returns once `expected` have."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._at: dict[str, float] = {}
        self._complete = asyncio.Event()

    def now(self, number: str) -> None:
        self._at.setdefault(number, time.perf_counter())
        if len(self._at) >= self._expected:
            self._complete.set()

    async def all_started(self) -> dict[str, float]:
        """Raises TimeoutError."""
        async with asyncio.timeout(SECONDS_MAX):
            await self._complete.wait()
        return self._at


class Contender(NamedTuple):
    """`enqueue` queues the job with that number; jobs run while `running` is entered."""

    enqueue: Callable[[str], Awaitable[None]]
    running: Callable[[], AbstractAsyncContextManager[None]]


class Figures(NamedTuple):
    waits: list[float]
    jobs_a_second: float
    processor_seconds: float


class InstantReader:
    """Takes the place of the sandbox: a reading ends at once, without an event."""

    refused: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.started: Started | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def ping(self) -> None:
        return None

    async def read(self, _: bytes, *, reference: str, on_spent: Callable[[float], None], **__: object) -> Extraction:
        if self.started:
            self.started.now(reference)
        on_spent(0.001)
        return Extraction(events=(), pages=1)


class OneObject:
    """Fetches the same object for every job, since uploading is not what is measured."""

    def __init__(self, objects: ObjectStore, key: str) -> None:
        self._objects, self._key = objects, key

    async def get(self, _: str, *, size_bytes_max: int) -> bytes:
        return await self._objects.get(self._key, size_bytes_max=size_bytes_max)


@asynccontextmanager
async def ours(addresses: Addresses, started_at: Callable[[], Started]) -> AsyncGenerator[Contender]:
    settings = {"WORKER_CONCURRENCY": str(PLACES), "WORKER_PORT": str(free_port()), "JOBS_PENDING_MAX": "100000"}
    reader = InstantReader()
    async with opened(addresses, role="worker", settings=settings) as services:
        account = await new_account(services)
        key = f"uploads/{account}/{uuid4()}.pdf"
        await services.objects.put(key, a_document(), content_type="application/pdf")
        services.objects = cast("ObjectStore", OneObject(services.objects, key))

        async def enqueue(number: str) -> None:
            async with services.database.transaction() as connection:
                job = await JobRepository(connection).insert(new_job(account, request_id=number))
            await services.broadcaster.changed(job)
            await services._doorbell.ring(job.id)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - as intake does

        @asynccontextmanager
        async def running() -> AsyncGenerator[None]:
            reader.started = started_at()
            stop = asyncio.Event()
            worker = asyncio.create_task(
                work(services, cast("Sandbox", reader), services.settings, golden=(), stop=stop)
            )
            try:
                yield
            finally:
                stop.set()
                await worker

        yield Contender(enqueue, running)


@asynccontextmanager
async def plain_taskiq(redis_url: str, started_at: Callable[[], Started]) -> AsyncGenerator[Contender]:
    broker = RedisStreamBroker(redis_url, queue_name=f"plain-{uuid4()}", consumer_group_name="plain")

    async def start(number: str) -> None:
        started_at().now(number)

    task = broker.register_task(start, task_name="start")
    await broker.startup()

    async def enqueue(number: str) -> None:
        await task.kiq(number)

    @asynccontextmanager
    async def running() -> AsyncGenerator[None]:
        finish = asyncio.Event()
        with ThreadPoolExecutor(max_workers=1) as unused:
            receiver = Receiver(broker, executor=unused, run_startup=False, max_async_tasks=PLACES)
            listening = asyncio.create_task(receiver.listen(finish))
            try:
                yield
            finally:
                finish.set()
                await listening

    try:
        yield Contender(enqueue, running)
    finally:
        await broker.shutdown()


@asynccontextmanager
async def plain_procrastinate(dsn: str, started_at: Callable[[], Started]) -> AsyncGenerator[Contender]:
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))

    @app.task(name="start")
    async def start(number: str) -> None:
        started_at().now(number)

    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()

        async def enqueue(number: str) -> None:
            await start.defer_async(number=number)

        @asynccontextmanager
        async def running() -> AsyncGenerator[None]:
            worker = asyncio.create_task(
                app.run_worker_async(concurrency=PLACES, install_signal_handlers=False, fetch_job_polling_interval=5.0)
            )
            try:
                yield
            finally:
                worker.cancel()
                await asyncio.gather(worker, return_exceptions=True)

        yield Contender(enqueue, running)


async def measured(contender: Contender, restart: Callable[[int], Started], *, waits: int, jobs: int) -> Figures:
    """Raises TimeoutError if a job never starts."""
    queued_at: dict[str, float] = {}
    started_jobs = restart(waits)
    async with contender.running():
        await asyncio.sleep(0.5)
        for number in range(waits):
            queued_at[f"wait-{number}"] = time.perf_counter()
            await contender.enqueue(f"wait-{number}")
            await asyncio.sleep(1 / RATE_A_SECOND)
        at = await started_jobs.all_started()
    spent = time.process_time()
    started_jobs = restart(jobs)
    for number in range(jobs):
        await contender.enqueue(f"job-{number}")
    async with contender.running():
        runs = await started_jobs.all_started()
    spent = time.process_time() - spent
    seconds = max(runs.values()) - min(runs.values())
    return Figures([at[name] - queued_at[name] for name in queued_at], (jobs - 1) / seconds, spent / jobs)


async def compare(addresses: Addresses, procrastinate_dsn: str, *, rounds: int, waits: int, jobs: int) -> None:
    current = Started(0)

    def restart(expected: int) -> Started:
        nonlocal current
        current = Started(expected)
        return current

    contenders = {
        "ours": lambda: ours(addresses, lambda: current),
        "taskiq, stream broker": lambda: plain_taskiq(addresses.redis_state_url, lambda: current),
        "procrastinate": lambda: plain_procrastinate(procrastinate_dsn, lambda: current),
    }
    found: dict[str, list[Figures]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, open_contender in contenders.items():
            async with open_contender() as contender:
                found[name].append(await measured(contender, restart, waits=waits, jobs=jobs))
    versions = {name: importlib.metadata.version(name) for name in ("taskiq", "taskiq-redis", "procrastinate")}
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"{'queue':<24}{'wait p50':>10}{'p95':>10}{'jobs/s':>10}{'processor time a job':>22}")
    for name, figures in found.items():
        waited = sorted(wait for each in figures for wait in each.waits)
        rate = statistics.median(each.jobs_a_second for each in figures)
        spent = statistics.median(each.processor_seconds for each in figures)
        p50, p95 = waited[len(waited) // 2] * 1e3, waited[int(len(waited) * 0.95)] * 1e3
        print(f"{name:<24}{p50:>7.1f} ms{p95:>7.1f} ms{rate:>10.0f}{spent * 1e3:>19.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--waits", type=int, default=200, help="jobs whose wait is measured in each round")
    parser.add_argument("--jobs", type=int, default=1000, help="jobs of each round's throughput")
    options = parser.parse_args()
    logging.configure(level="error", process="perf")
    with ExitStack() as opened_servers:
        enter = opened_servers.enter_context
        directory = enter(scratch_directory())
        server = enter(started(Postgres(directory / "postgres")))
        database = enter(fresh_database(server, template=make_template(server)))
        other = enter(fresh_database(server, template="template1"))
        state = enter(started(Valkey(directory / "state", STATE)))
        cache = enter(started(Valkey(directory / "cache", CACHE)))
        bucket = enter(fresh_bucket(enter(started(SeaweedFS(directory / "objects", application_buckets="test-*")))))
        addresses = Addresses(
            postgres_dsn=database.dsn, redis_state_url=state.url, redis_cache_url=cache.url, objects=bucket
        )
        asyncio.run(compare(addresses, other.owner_dsn, rounds=options.rounds, waits=options.waits, jobs=options.jobs))


if __name__ == "__main__":
    main()
