"""One scheduler leads behind PgBouncer's transaction mode, in which a session lock would not work.

PgBouncer stops in good order while a scheduler leads.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.support.servers import migrate_now, scratch_directory, wait_until
from upschedule.operations.embedded.ports import free_port
from upschedule.operations.embedded.postgres import Postgres
from upschedule.runtime.leadership import Leadership
from upschedule.settings import SchedulerSettings
from upschedule.stores.database import Database, PoolOptions

NOBODY = 65_534
OPTIONS = PoolOptions(size_min=1, size_max=4, waiting_max=10, wait_seconds=10, statement_seconds=5, connect_seconds=5)
#: The server allows fewer connections than there are clients, so the clients share them.
INI = """
[databases]
upschedule = host={host} port={port} dbname={dbname} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
ignore_startup_parameters = extra_float_digits, options
"""


class PgBouncer:
    """`url` is the connection string of the database `upschedule` behind PgBouncer."""

    def __init__(self, file: Path, url: str, log: IO[bytes]) -> None:
        self.url = url
        self._file, self._log = file, log
        self._process = self._started()

    def stop(self, order: signal.Signals) -> float:
        """Stops PgBouncer and returns the seconds until it has ended."""
        began = time.monotonic()
        self._process.send_signal(order)
        self._process.wait(60)
        return time.monotonic() - began

    def start(self) -> None:
        self._process = self._started()

    def _started(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            ["/usr/sbin/pgbouncer", self._file],
            stdout=self._log,
            stderr=self._log,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
        )
        wait_until(lambda: answers(self.url))
        return process


@contextmanager
def pgbouncer(server: Postgres) -> Iterator[PgBouncer]:
    port = free_port()
    known = conninfo_to_dict(server.application_dsn("upschedule"))
    with scratch_directory() as folder, (folder / "log").open("wb") as log:
        file = folder / "pgbouncer.ini"
        file.write_text(INI.format(**known, listen_port=port), encoding="utf-8")
        os.chown(file, NOBODY, NOBODY)
        running = PgBouncer(file, f"postgresql://upschedule_app@127.0.0.1:{port}/upschedule", log)
        try:
            yield running
        finally:
            running.stop(signal.SIGTERM)


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


class Candidate:
    """A process that tries to become the leader. `leads` is set while it leads."""

    def __init__(self) -> None:
        self.leads = asyncio.Event()

    async def lead(self) -> None:
        self.leads.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.leads.clear()


@asynccontextmanager
async def candidate(url: str) -> AsyncGenerator[tuple[Candidate, Database]]:
    database, contender = Database(url, OPTIONS), Candidate()
    await database.open()
    leadership = Leadership(database, SchedulerSettings(), again_seconds=0.2)
    working = asyncio.create_task(leadership.run_while_leading(contender.lead))
    try:
        yield contender, database
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await database.close()


async def test_of_two_one_leads_while_connections_are_handed_round_and_the_other_follows(
    private_postgres: Callable[..., Postgres],
) -> None:
    """Two candidates share a pool, and the second takes over when the first ends (R2.3)."""
    server = await asyncio.to_thread(private_postgres)
    migrate_now(server.owner_dsn("upschedule"))
    with pgbouncer(server) as pooler:
        async with candidate(pooler.url) as (second, database):
            async with asyncio.timeout(20), candidate(pooler.url) as (first, _):
                pending = {asyncio.create_task(each.leads.wait()) for each in (first, second)}
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in pending:
                    task.cancel()
                assert len(done) == 1
                # The test waits longer than a lease, so that renewals use several of the shared connections.
                deadline = asyncio.get_running_loop().time() + 8
                while asyncio.get_running_loop().time() < deadline:
                    await asyncio.gather(*(database.ping() for _ in range(3)))
                    assert first.leads.is_set() != second.leads.is_set()
                    await asyncio.sleep(0.05)
            async with asyncio.timeout(10):
                await second.leads.wait()


async def test_an_orderly_restart_of_pgbouncer_waits_for_no_leader_and_changes_none(
    private_postgres: Callable[..., Postgres],
) -> None:
    """SIGINT makes PgBouncer wait for open transactions (R3.5)."""
    server = await asyncio.to_thread(private_postgres)
    migrate_now(server.owner_dsn("upschedule"))
    with pgbouncer(server) as pooler:
        async with asyncio.timeout(60), candidate(pooler.url) as (leader, database):
            await leader.leads.wait()
            await database.ping()
            # PgBouncer would not end while a transaction is open.
            await asyncio.to_thread(pooler.stop, signal.SIGINT)
            await asyncio.to_thread(pooler.start)
            await database.ping()
            # The leader has to renew its lease, or another candidate could take it.
            await asyncio.sleep(SchedulerSettings().lease_seconds)
            assert leader.leads.is_set()
        with psycopg.connect(server.owner_dsn("upschedule")) as connection:
            assert connection.execute("SELECT term FROM leaderships").fetchone() == (1,)
