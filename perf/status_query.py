"""Measures a job's status query with 1,000,000 jobs in PostgreSQL (R3.4: under 100 ms; our goal: under 5 ms).

`python -m perf.status_query [JOBS]`, from the root of the repository. Starts its own PostgreSQL on this machine.
The statements are those of the service, through its pool and its structs; the cache is left out.
"""

import asyncio
import random
import statistics
import sys
import time
from uuid import UUID

import psycopg

from tests.support.servers import fresh_database, make_template, scratch_directory, started
from upschedule.operations.embedded.postgres import Postgres
from upschedule.processing.queue import Queue
from upschedule.processing.repository import JobRepository
from upschedule.processing.shares import ShareOptions
from upschedule.settings import JobSettings
from upschedule.stores.database import Database, PoolOptions

_STATUS = "SELECT * FROM jobs WHERE id = %(job_id)s"
_SAMPLES = 2_000
_GOAL_MS = 5.0
_POOL = PoolOptions(size_min=10, size_max=10, waiting_max=100, wait_seconds=30, statement_seconds=10, connect_seconds=5)
_SHARES = ShareOptions(quick_seconds=0.5, slow_seconds=10, half_life_seconds=600)
# Most have long finished; 500 wait and 100 are being read, as in a full queue.
_FILL = """
    INSERT INTO jobs
        (id, account_id, sha256, file_name, size_bytes, status, lease_until, started_at, finished_at, pages)
    SELECT gen_random_uuid(), account, sha256(number::text::bytea), 'schedule.pdf', 40000, status,
           CASE WHEN status = 'processing' THEN now() + interval '1 hour' END, now() - number * interval '1 second',
           CASE WHEN status = 'completed' THEN now() - number * interval '1 second' END, 4
    FROM (
        SELECT number, (SELECT id FROM accounts OFFSET 0 LIMIT 1) AS account,
               CASE WHEN number <= 500 THEN 'queued' WHEN number <= 600 THEN 'processing' ELSE 'completed' END AS status
        FROM generate_series(1, %s) AS number
    ) AS drawn
"""


async def main(jobs: int) -> None:
    with (
        scratch_directory() as directory,
        started(Postgres(directory / "postgres", durable=False)) as server,
        fresh_database(server, template=make_template(server)) as fresh,
    ):
        ids = fill(fresh.owner_dsn, jobs)
        database = Database(fresh.dsn, _POOL)
        await database.open()
        await database.ping()
        try:
            report("status by id", await timed(database, ids))
            report("status by id, 10 at once", await timed_together(database, ids))
            report("queue positions and rate", await timed_queue(database))
            report("status by id, inside the server", await timed_inside(database, ids[:500]))
        finally:
            await database.close()


def fill(dsn: str, jobs: int) -> list[UUID]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO accounts DEFAULT VALUES")
        began = time.perf_counter()
        connection.execute(_FILL, [jobs])
        connection.execute("VACUUM ANALYZE jobs")
        print(f"{jobs:,} jobs filled in {time.perf_counter() - began:.0f} s")
        sample = "SELECT id FROM jobs TABLESAMPLE SYSTEM (1) LIMIT %s"
        ids = [row[0] for row in connection.execute(sample, [_SAMPLES])]
    random.shuffle(ids)
    return ids


async def timed(database: Database, ids: list[UUID]) -> list[float]:
    return [await one(database, job_id) for job_id in ids]


async def timed_together(database: Database, ids: list[UUID]) -> list[float]:
    parts = await asyncio.gather(*(timed(database, ids[start::10]) for start in range(10)))
    return [taken for part in parts for taken in part]


async def one(database: Database, job_id: UUID) -> float:
    began = time.perf_counter()
    async with database.transaction() as connection:
        job = await JobRepository(connection).get(job_id)
    assert job is not None
    return time.perf_counter() - began


async def timed_inside(database: Database, ids: list[UUID]) -> list[float]:
    """Planning and execution as PostgreSQL counts them, without the wire and the client."""
    taken: list[float] = []
    for job_id in ids:
        async with database.transaction() as connection:
            cursor = await connection.execute(
                "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + _STATUS, {"job_id": job_id}
            )
            plan = (await cursor.fetchall())[0]["QUERY PLAN"][0]
        taken.append((plan["Planning Time"] + plan["Execution Time"]) / 1000)
    return taken


async def timed_queue(database: Database) -> list[float]:
    taken: list[float] = []
    settings = JobSettings()
    for _ in range(50):
        queue = Queue(
            database,
            settings=settings,
            shares=_SHARES,
        )
        began = time.perf_counter()
        await queue.capacity(pending_max=settings.pending_max)
        taken.append(time.perf_counter() - began)
    return taken


def report(name: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    p95, p99 = (ordered[int(share * len(ordered))] * 1000 for share in (0.95, 0.99))
    middle = statistics.median(ordered) * 1000
    verdict = "within" if p95 < _GOAL_MS else "ABOVE"
    print(f"{name}: p50 {middle:.2f} ms, p95 {p95:.2f} ms, p99 {p99:.2f} ms ({verdict} the goal of {_GOAL_MS:.0f} ms)")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
