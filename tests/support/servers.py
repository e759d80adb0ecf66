"""The real servers for tests: started once a run, with a fresh database and bucket for each test."""

import itertools
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psycopg
from psycopg import sql

from tests.support import identities
from tests.support.paths import ROOT
from upschedule.operations.embedded.postgres import APPLICATION_ROLE, Postgres, create_database
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.embedded.server import Server
from upschedule.operations.migration.files import read_migrations
from upschedule.operations.migration.migrate import MigrationPolicy, Timing, migrate
from upschedule.operations.privileges.identities import PROCESSES, Process
from upschedule.stores.bucket import BucketAddress

MIGRATIONS = ROOT / "migrations"
DEBIAN_POSTGRES = Path("/usr/lib/postgresql/15/bin")
_TEMPLATE = "migrated"
S = TypeVar("S", bound=Server)
_numbers = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Database:
    """`owner_dsn` may change tables, `dsn` only rows."""

    name: str
    dsn: str
    owner_dsn: str
    backup_dsn: str
    #: Of the role of each process.
    process_dsns: Mapping[Process, str]


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A short path that servers without root rights can reach; pytest's own is private and long."""
    directory = Path(tempfile.mkdtemp(prefix="upschedule-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@contextmanager
def started(server: S) -> Iterator[S]:
    try:
        server.start()
        identities.register(server.directory)
        yield server
    finally:
        server.stop()


def wait_until(condition: Callable[[], object], *, timeout_seconds: float = 20.0) -> None:
    """Return once `condition` is true; fail the test when it is not in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {timeout_seconds:.0f} s"
        time.sleep(0.05)


def migrate_now(owner_dsn: str) -> None:
    migrate(
        owner_dsn,
        read_migrations(MIGRATIONS),
        application_role=APPLICATION_ROLE,
        policy=MigrationPolicy(),
        timing=Timing(),
    )


def make_template(server: Postgres) -> str:
    """A migrated database to copy: a copy takes some hundredths of a second."""
    with psycopg.connect(server.superuser_dsn(), autocommit=True) as conn:
        create_database(conn, _TEMPLATE)
    migrate_now(server.owner_dsn(_TEMPLATE))
    return _TEMPLATE


@contextmanager
def fresh_database(server: Postgres, *, template: str = "template1") -> Iterator[Database]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.superuser_dsn(), autocommit=True) as conn:
        create_database(conn, name, template=template)
        try:
            yield Database(
                name=name,
                dsn=server.application_dsn(name),
                owner_dsn=server.owner_dsn(name),
                backup_dsn=server.backup_dsn(name),
                process_dsns={process: server.process_dsn(process, name) for process in PROCESSES},
            )
        finally:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def fresh_bucket(server: SeaweedFS) -> Iterator[BucketAddress]:
    bucket = f"test-{next(_numbers)}"
    client = server.admin_client()
    client.make_bucket(bucket_name=bucket)
    try:
        yield server.address(bucket)
    finally:
        client.remove_bucket(bucket_name=bucket)
