"""Many people who wait: each follows the status stream of a queued document, through Traefik, with a session of theirs.

    uv run python -m perf.many_streams                   # 2,000 streams, a minute
    uv run python -m perf.many_streams --streams 9500    # two minutes; needs a limit of 20,000 open files

It starts a system of its own with one API process. The documents are rows that no worker may claim yet. While all
streams are open and nothing happens, it measures what holding them costs. Then some of the documents are claimed and
finished at a steady rate, as a worker does it, and each change is timed from its publication to the client. Exit
code 1: a stream was refused or broke, or a change did not arrive.
"""

import argparse
import asyncio
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec
import psycopg

from perf.load.sampler import Job as Watched
from perf.load.sampler import Spent, Use, uses
from perf.load.target import RAISED_LIMITS
from perf.stack import Stack, running_stack
from tests.support.job_rows import an_extraction, new_job
from upschedule.accounts.random_ids import hash_of, new_id
from upschedule.processing.repository import JobRepository
from upschedule.processing.runs import RunRepository
from upschedule.processing.status_cache import StatusCache
from upschedule.processing.status_events import StatusBroadcaster
from upschedule.stores.database import Database, PoolOptions
from upschedule.stores.redis import connect

#: The reverse proxy has two connections for each stream.
FILES_EACH = 2
FILES_BESIDES = 500
ROWS_AT_ONCE = 500
OPENING_AT_ONCE = 64
OPEN_SECONDS = 120.0
ARRIVE_SECONDS = 60.0
_POOL = PoolOptions(size_min=2, size_max=4, waiting_max=100, wait_seconds=30, statement_seconds=30, connect_seconds=5)
_LIMITS = RAISED_LIMITS | {
    "UPSCHEDULE_LIMITS_STREAMS_MAX": "100000",
    "UPSCHEDULE_WEB_CONNECTIONS_MAX": "100000",
    "UPSCHEDULE_JOBS_PENDING_MAX": "100000",
}


class Person(msgspec.Struct, frozen=True, kw_only=True):
    session: str
    job: UUID


@dataclass
class Seen:
    """`open` streams; when a job's status arrived, by job and status; and what went wrong."""

    open: int = 0
    at: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    faults: list[str] = field(default_factory=list[str])


async def people(database: Database, count: int) -> list[Person]:
    """Accounts with a session and a document that is queued but not due for an hour."""
    made = [Person(session=new_id(), job=uuid4()) for _ in range(count)]
    now = datetime.now(UTC)
    for start in range(0, count, ROWS_AT_ONCE):
        async with database.transaction() as connection:
            for person in made[start : start + ROWS_AT_ONCE]:
                row = await (await connection.execute("INSERT INTO accounts DEFAULT VALUES RETURNING id")).fetchone()
                assert row is not None
                await connection.execute(
                    "INSERT INTO sessions (id_hash, account_id, created_at, last_seen_at) VALUES (%s, %s, %s, %s)",
                    [hash_of(person.session), row["id"], now, now],
                )
                await JobRepository(connection).insert(new_job(row["id"], job_id=person.job))
                await connection.execute(
                    "UPDATE jobs SET run_after = now() + interval '1 hour' WHERE id = %s", [person.job]
                )
    return made


def source_address(number: int) -> str:
    """A loopback address for this person: browsers come from many, and one address has ports for 28,000 of them."""
    return f"127.0.{number // 250 % 250 + 1}.{number % 250 + 1}"


async def follow(url: str, number: int, person: Person, seen: Seen, opening: asyncio.Semaphore) -> None:
    """Reads the stream until the job is final."""
    address = urlsplit(url)
    source = source_address(number)
    try:
        async with opening:
            async with asyncio.timeout(OPEN_SECONDS):
                reader, writer = await asyncio.open_connection(
                    address.hostname, address.port, local_addr=(source, 0), limit=16_384
                )
                writer.write(
                    f"GET /api/v1/jobs/{person.job}/stream HTTP/1.1\r\nHost: {address.netloc}\r\n"
                    f"Cookie: upschedule={person.session}\r\n\r\n".encode()
                )
                head = await reader.readuntil(b"\r\n\r\n")
                if b" 200 " not in head.split(b"\r\n", 1)[0]:
                    seen.faults.append(head.split(b"\r\n", 1)[0].decode())
                    return
        seen.open += 1
        try:
            while line := await reader.readline():
                if line.startswith(b"data:"):
                    status: str = msgspec.json.decode(line.removeprefix(b"data:").strip())["status"]
                    seen.at.setdefault((str(person.job), status), time.perf_counter())
                    if status == "completed":
                        return
            seen.faults.append("a stream ended before its job")
        finally:
            seen.open -= 1
            writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        seen.faults.append(type(error).__name__)


async def change(
    database: Database, broadcaster: StatusBroadcaster, some: Sequence[Person], *, rate: float
) -> dict[tuple[str, str], float]:
    """Claims and finishes each document as a worker does; returns when each change was committed."""
    at: dict[tuple[str, str], float] = {}
    began = time.perf_counter()
    for number, person in enumerate(some):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        async with database.transaction() as connection:
            await connection.execute("UPDATE jobs SET run_after = now() WHERE id = %s", [person.job])
            claimed = await RunRepository(connection).claim(person.job, lease_seconds=60)
            assert claimed is not None
        at[str(person.job), "processing"] = time.perf_counter()
        await broadcaster.changed(claimed)
        async with database.transaction() as connection:
            completed = await RunRepository(connection).complete(claimed, an_extraction("COS132"), reader_version="1")
            assert completed is not None
        at[str(person.job), "completed"] = time.perf_counter()
        await broadcaster.changed(completed)
    return at


def transactions(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What the parts of the system used within `seconds`."""

    seconds: float
    before: Mapping[str, Use]
    after: Mapping[str, Use]
    transactions: int

    def cores(self, part: str) -> float:
        return (self.after[part].cpu_seconds - self.before[part].cpu_seconds) / self.seconds


async def _hold(watched: Watched, postgres: str, seconds: float) -> Holding:
    spent = Spent()
    before, done, began = uses(watched, spent), transactions(postgres), time.perf_counter()
    await asyncio.sleep(seconds)
    passed = time.perf_counter() - began
    return Holding(
        seconds=passed, before=before, after=uses(watched, spent), transactions=transactions(postgres) - done
    )


async def _until(condition: Callable[[], bool], seconds_max: float) -> None:
    """Returns in any case after `seconds_max`; the caller looks at what is there then."""
    deadline = time.perf_counter() + seconds_max
    while not condition() and time.perf_counter() < deadline:  # noqa: ASYNC110 - two thousand tasks fulfil it
        await asyncio.sleep(0.05)


def percentile(values: Sequence[float], part: float) -> float:
    """The value that this part of the values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


async def measure(stack: Stack, *, streams: int, changes: int, rate: float, hold_seconds: float) -> list[str]:
    """Prints the figures; returns the faults."""
    postgres = stack.postgres_url()
    database = Database(postgres, _POOL)
    await database.open()
    redis = connect(stack.cache_url(), command_seconds=5, connections_max=10)
    broadcaster = StatusBroadcaster(redis, StatusCache(redis, final_seconds=60, pending_seconds=60))
    watched = Watched(
        supervisor=stack.supervisor, generator=stack.supervisor, interval_seconds=1, metrics=(), postgres=""
    )
    seen, opening = Seen(), asyncio.Semaphore(OPENING_AT_ONCE)
    try:
        waiting = await people(database, streams)
        empty = uses(watched, Spent())
        began = time.perf_counter()
        followers = [
            asyncio.create_task(follow(stack.url, number, person, seen, opening))
            for number, person in enumerate(waiting)
        ]
        await _until(lambda: seen.open + len(seen.faults) >= streams, OPEN_SECONDS)
        print(f"{seen.open} streams open after {time.perf_counter() - began:.1f} s, {len(seen.faults)} refused")
        holding = await _hold(watched, postgres, hold_seconds)
        for part in ("API", "Traefik"):
            grown = holding.after[part].private_bytes - empty[part].private_bytes
            print(f"{part}: {grown / streams / 1024:.1f} kB for each stream")
        for part in ("API", "PostgreSQL", "Redis", "Traefik"):
            print(f"{part}: {holding.cores(part):.2f} cores while nothing happens")
        print(f"PostgreSQL: {holding.transactions / holding.seconds:.0f} transactions a second while nothing happens")
        changed = await change(database, broadcaster, waiting[:changes], rate=rate)
        wanted = [key for key in changed if key[1] == "completed"]
        await _until(lambda: all(key in seen.at for key in wanted), ARRIVE_SECONDS)
        missing = [key for key in wanted if key not in seen.at]
        delays = [seen.at[key] - changed[key] for key in wanted if key in seen.at]
        if delays:
            p50, p95, p99 = (percentile(delays, part) * 1e3 for part in (0.5, 0.95, 0.99))
            print(
                f"{len(delays)} changes at {rate:.0f} a second reached their clients: "
                f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms"
            )
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        return [*seen.faults, *(f"the result of {job} did not arrive" for job, _ in missing)]
    finally:
        await redis.aclose()
        await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--changes", type=int, default=1000, help="documents that are finished while all wait")
    parser.add_argument("--rate", type=float, default=50.0, help="of the changes, a second")
    parser.add_argument("--hold-seconds", type=float, default=20.0, help="during which nothing happens")
    options = parser.parse_args()
    files = options.streams * FILES_EACH + FILES_BESIDES
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files > hard:
        parser.error(
            f"Traefik needs {files} open files for {options.streams} streams, and {hard} are allowed here "
            f"(ulimit -Hn): raise the limit, or follow at most {(hard - FILES_BESIDES) // FILES_EACH} streams"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with running_stack(Path(sys.executable), _LIMITS) as stack:
        faults = asyncio.run(
            measure(
                stack,
                streams=options.streams,
                changes=min(options.changes, options.streams),
                rate=options.rate,
                hold_seconds=options.hold_seconds,
            )
        )
    if faults:
        sys.exit(f"{len(faults)} faults, among them: {', '.join(sorted(set(faults))[:5])}")


if __name__ == "__main__":
    main()
