"""Measures how soon requests are answered after PostgreSQL was killed and started again (R3.5).

    uv run python -m perf.recovery
    uv run python -m perf.recovery --away-seconds 20 --rounds 5

The service's pool and psycopg's own, which checks each connection that it lends, ask the same server at the same time.
Each asks as a load balancer does, with little patience. A ratio below 1 says that the service's pool is the faster.
"""

import argparse
import asyncio
import logging
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from tests.support.servers import scratch_directory, started
from upschedule.operations.embedded.postgres import Postgres
from upschedule.stores.database import Database, PoolOptions
from upschedule.stores.errors import StoreError

SIZE_MIN, SIZE_MAX = 20, 30
PATIENCE_SECONDS = 2.0
RECOVERY_SECONDS_MAX = 3.0
OPTIONS = PoolOptions(
    size_min=SIZE_MIN, size_max=SIZE_MAX, waiting_max=1000, wait_seconds=30, statement_seconds=5, connect_seconds=5
)


async def answered_at(ask: Callable[[], Awaitable[object]]) -> float:
    """The time of the first answer after a failure."""
    failed = False
    while True:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await ask()
            if failed:
                return time.monotonic()
        except (StoreError, PoolTimeout, psycopg.Error, TimeoutError):
            failed = True
        await asyncio.sleep(0.01)


async def recover(server: Postgres, away_seconds: float) -> tuple[float, float]:
    """Seconds from the start of the server to the first answer: of the service's pool, and of psycopg's."""
    dsn = server.superuser_dsn()
    database = Database(dsn, OPTIONS)
    plain = AsyncConnectionPool(
        dsn, min_size=SIZE_MIN, max_size=SIZE_MAX, check=AsyncConnectionPool.check_connection, open=False
    )

    async def ask_plain() -> None:
        async with plain.connection() as connection:
            await connection.execute("SELECT 1")

    await database.open()
    await plain.open()
    try:
        await database.ping()
        await ask_plain()
        await asyncio.to_thread(server.kill)
        asking = [asyncio.create_task(answered_at(ask)) for ask in (database.ping, ask_plain)]
        await asyncio.sleep(away_seconds)
        await asyncio.to_thread(server.start)
        back = time.monotonic()
        ours, plains = await asyncio.gather(*asking)
        return ours - back, plains - back
    finally:
        with suppress(psycopg.Error):
            await plain.close()
        await database.close()


async def measure(server: Postgres, *, away_seconds: float, rounds: int) -> list[tuple[float, float]]:
    """Runs everything in one event loop, because a server ends with the thread that started it."""
    return [await recover(server, away_seconds) for _ in range(rounds)]


def main() -> None:
    """Exit code 1 where the service's pool took longer than its bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--away-seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    # The pools report each attempt to connect.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    with scratch_directory() as folder, started(Postgres(folder / "postgres", durable=False)) as server:
        rounds = asyncio.run(measure(server, away_seconds=options.away_seconds, rounds=options.rounds))
    ours, plain = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"PostgreSQL away for        {options.away_seconds:.0f} s, {options.rounds} times")
    print(
        f"this service's pool        {ours:.2f} s after its start (median), {max(r[0] for r in rounds):.2f} s at most"
    )
    print(f"psycopg's own pool         {plain:.2f} s (median)")
    print(f"ratio                      {ours / plain:.2f}")
    sys.exit(1 if max(r[0] for r in rounds) > RECOVERY_SECONDS_MAX else 0)


if __name__ == "__main__":
    main()
