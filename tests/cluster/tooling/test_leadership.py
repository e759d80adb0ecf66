"""One scheduler leads behind PgBouncer's transaction mode, where a lock of the session would not hold."""

import asyncio
import os
import subprocess
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.support.servers import scratch_directory, wait_until
from upschedule.operations.embedded.ports import free_port
from upschedule.operations.embedded.postgres import Postgres
from upschedule.runtime.leadership import Leadership
from upschedule.stores.database import Database, PoolOptions

NOBODY = 65_534
OPTIONS = PoolOptions(size_min=1, size_max=4, waiting_max=10, wait_seconds=10, statement_seconds=5, connect_seconds=5)
#: Fewer connections to the server than clients have: they are handed round.
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


@contextmanager
def pgbouncer(server: Postgres) -> Iterator[str]:
    """Gives the connection string of the database `upschedule` behind it."""
    port = free_port()
    known = conninfo_to_dict(server.application_dsn("upschedule"))
    with scratch_directory() as folder, (folder / "log").open("wb") as log:
        file = folder / "pgbouncer.ini"
        file.write_text(INI.format(**known, listen_port=port), encoding="utf-8")
        os.chown(file, NOBODY, NOBODY)
        process = subprocess.Popen(
            ["/usr/sbin/pgbouncer", file], stdout=log, stderr=log, user=NOBODY, group=NOBODY, extra_groups=[]
        )
        url = f"postgresql://upschedule_app@127.0.0.1:{port}/upschedule"
        try:
            wait_until(lambda: answers(url))
            yield url
        finally:
            process.terminate()
            process.wait(20)


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


class Candidate:
    """A process that would lead; `leads` is set while it does."""

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
    database, made = Database(url, OPTIONS), Candidate()
    await database.open()
    working = asyncio.create_task(Leadership(database, again_seconds=0.2).run_while_leading(made.lead))
    try:
        yield made, database
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await database.close()


async def test_of_two_one_leads_while_connections_are_handed_round_and_the_other_follows(
    private_postgres: Callable[..., Postgres],
) -> None:
    """(R2.3)."""
    server = await asyncio.to_thread(private_postgres)
    with pgbouncer(server) as url:
        async with candidate(url) as (second, database):
            async with asyncio.timeout(20), candidate(url) as (first, _):
                pending = {asyncio.create_task(each.leads.wait()) for each in (first, second)}
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in pending:
                    task.cancel()
                assert len(done) == 1
                # Longer than a server waits for a silent leader, and through the connections that it may be given.
                ended = asyncio.get_running_loop().time() + 8
                while asyncio.get_running_loop().time() < ended:
                    await asyncio.gather(*(database.ping() for _ in range(3)))
                    assert first.leads.is_set() != second.leads.is_set()
                    await asyncio.sleep(0.05)
            async with asyncio.timeout(10):
                await second.leads.wait()
