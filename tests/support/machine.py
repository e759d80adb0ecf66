"""The data of a `make run` with a document of each kind, its stores running and their addresses noted."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from tests.support.paths import ROOT
from tests.support.servers import MIGRATIONS, S, started
from upschedule.operations.backup_file.keys import BackupKey, make_key
from upschedule.operations.embedded.passwords import PasswordFile
from upschedule.operations.embedded.postgres import APPLICATION_ROLE, Postgres
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.local.addresses import addresses_noted
from upschedule.operations.local.preconditions import exclusive
from upschedule.operations.migration.files import Migration, read_migrations
from upschedule.operations.migration.migrate import MigrationPolicy, Timing, migrate
from upschedule.stores.bucket import Bucket

#: The email address of the account, which a backup must not show.
EMAIL = "thandi@example.org"
_COMMAND_SECONDS = 110
_COLUMNS = {
    "queued": {},
    "processing": {"lease_until": "now() - interval '1 minute'", "started_at": "now()", "attempt": "1", "run": "1"},
    "failed": {"finished_at": "now()", "error": "'{}'"},
    "completed": {"finished_at": "now()"},
}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """`key_file` has the key of its backups."""

    data: Path
    postgres: Postgres
    objects: SeaweedFS
    key_file: Path
    key: BackupKey
    account: UUID

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return rows(self.postgres.owner_dsn(), query, values)

    def change(self, statement: str, values: Sequence[object] = ()) -> None:
        with psycopg.connect(self.postgres.owner_dsn()) as connection:
            connection.execute(statement.encode(), values)

    @property
    def bucket(self) -> Bucket:
        return Bucket(self.objects.process_address("api"))

    def add_document(self, status: str) -> UUID:
        """A row with its object, as `status` has them."""
        job, contents = uuid4(), uuid4().bytes * 500
        key = f"uploads/{self.account}/{job}.pdf"
        self.bucket.put(key, contents, content_type="application/pdf")
        columns = {
            "id": "%(job)s",
            "account_id": "%(account)s",
            "sha256": "%(sha256)s",
            "file_name": "'a.pdf'",
            "size_bytes": "%(size)s",
            "object_key": "%(key)s",
            "stored_at": "now()",
            "status": "%(status)s",
            **_COLUMNS[status],
        }
        values = {
            "job": job,
            "account": self.account,
            "sha256": hashlib.sha256(contents).digest(),
            "size": len(contents),
            "key": key,
            "status": status,
        }
        with psycopg.connect(self.postgres.owner_dsn()) as connection:
            connection.execute(
                f"INSERT INTO jobs ({', '.join(columns)}) VALUES ({', '.join(columns.values())})".encode(), values
            )
            connection.execute(
                "UPDATE accounts SET stored_bytes = stored_bytes + %(size)s WHERE id = %(account)s", values
            )
        return job

    def add_calendar(self, token: bytes) -> UUID:
        calendar = uuid4()
        self.change(
            "INSERT INTO calendars (id, account_id, name, token_hash, academic_year) VALUES (%s, %s, 'a', %s, 2026)",
            [calendar, self.account, token],
        )
        return calendar

    def add_session(self) -> bytes:
        session = uuid4().bytes
        self.change("INSERT INTO sessions VALUES (%s, %s, now(), now(), NULL)", [session, self.account])
        return session

    def back_up(self, file: Path) -> Path:
        done = command("backup", "file", file, "--data", self.data, "--key-file", self.key_file)
        assert done.returncode == 0, done.stderr
        return file


@contextmanager
def _running(server: S) -> Iterator[S]:
    """Ends with a kill: data survive it, and the S3 store takes seconds to stop."""
    with started(server):
        yield server
        server.kill()


@contextmanager
def machine(data: Path, *, migrations: Sequence[Migration] | None = None) -> Iterator[Machine]:
    """Holds the lock and notes the addresses, as `make run` does."""
    with (
        exclusive(data),
        _running(Postgres(data / "postgres", durable=False)) as postgres,
        _running(SeaweedFS(data / "objects")) as objects,
        addresses_noted(data, postgres=postgres.port, objects=objects.port),
    ):
        PasswordFile(data / "passwords.json").get("feed")
        migrate(
            postgres.owner_dsn(),
            read_migrations(MIGRATIONS) if migrations is None else migrations,
            application_role=APPLICATION_ROLE,
            policy=MigrationPolicy(),
            timing=Timing(),
        )
        key_file = data.with_suffix(".key")
        account = uuid4()
        made = Machine(
            data=data,
            postgres=postgres,
            objects=objects,
            key_file=key_file,
            key=make_key(key_file),
            account=account,
        )
        made.change("INSERT INTO accounts (id, email, password_hash) VALUES (%s, %s, 'hash')", [account, EMAIL])
        yield made


@contextmanager
def stores_in(data: Path) -> Iterator[tuple[Postgres, Bucket]]:
    """The stores of a restored folder, and its uploads as workers read them."""
    with _running(Postgres(data / "postgres")) as postgres, _running(SeaweedFS(data / "objects")) as objects:
        yield postgres, Bucket(objects.process_address("worker"))


def rows(dsn: str, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode(), values).fetchall()


def started_command(*words: str | Path) -> "subprocess.Popen[str]":
    """An `upschedule` command whose standard error can be read while it runs."""
    return subprocess.Popen(
        [sys.executable, "-m", "upschedule", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(*words: str | Path, within: Sequence[str | Path] = ()) -> "subprocess.CompletedProcess[str]":
    """`within`: a command that becomes the one given as its last arguments."""
    return subprocess.run(
        [*within, sys.executable, "-m", "upschedule", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    )
