"""`upschedule restore --to` on the site of the backups, and what people do there before and after."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from tests.support.cluster.tooling.backup_site import BackupSite
from tests.support.servers import wait_until

_ACCOUNT = "INSERT INTO accounts (email, password_hash) VALUES (%s, 'x') RETURNING id"
_DOCUMENT = """
    INSERT INTO jobs (id, account_id, sha256, file_name, size_bytes, object_key, stored_at, status, finished_at)
    VALUES (gen_random_uuid(), %s, sha256(%s), 'a.pdf', 1000, %s, now(), 'completed', now()) RETURNING id
"""
_CALENDAR = """
    INSERT INTO calendars (account_id, name, token_hash, academic_year) VALUES (%s, 'My year', %s, 2026) RETURNING id
"""
_SESSION = "INSERT INTO sessions (id_hash, account_id, created_at, last_seen_at) VALUES (%s, %s, now(), now())"


@dataclass(frozen=True)
class Ended:
    """The result of a command."""

    code: int
    output: str
    said: str


@dataclass(frozen=True)
class RestoreSite:
    site: BackupSite

    @property
    def data(self) -> Path:
        return self.site.postgres.directory / "data"

    def started(
        self, *options: str, file_bytes_max: int | None = None, environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        """A real `upschedule restore`, in a process group of its own. A limit of files ends writes like a full disk."""
        own = {**os.environ, **self.site.variables("restore"), **(environment or {})}
        limit = ["prlimit", f"--fsize={file_bytes_max}"] if file_bytes_max else []
        scratch = self.site.backups.scratch.folder
        return subprocess.Popen(
            [*limit, sys.executable, "-m", "upschedule", "restore", "--scratch", scratch, *options],
            env=own,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def restored(
        self,
        *options: str,
        file_bytes_max: int | None = None,
        seconds_max: float = 200,
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        with self.started(*options, file_bytes_max=file_bytes_max, environment=environment) as process:
            output, said = process.communicate(timeout=seconds_max)
        return Ended(process.returncode, output, said)

    def write(self, statement: str, *values: object, process: str = "api") -> Any:
        """Executes a statement, by default as the API. Returns the value of a statement that returns one."""
        dsn = self.site.postgres.owner_dsn() if process == "owner" else self.site.postgres.process_dsn("api")
        with psycopg.connect(dsn) as connection:
            cursor = connection.execute(statement.encode(), values)
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.site.postgres.owner_dsn()) as connection:
            return connection.execute(query.encode()).fetchall()

    def account(self, name: str) -> UUID:
        return self.write(_ACCOUNT, f"{name}@tuks.example")

    def document(self, account: UUID, name: str) -> UUID:
        job = self.write(_DOCUMENT, account, name.encode(), f"uploads/{account}/{name}")
        self.write("UPDATE accounts SET stored_bytes = stored_bytes + 1000 WHERE id = %s", account)
        return job

    def calendar(self, account: UUID, name: str) -> UUID:
        return self.write(_CALENDAR, account, name.encode())

    def session(self, account: UUID, name: str) -> None:
        self.write(_SESSION, name.encode(), account)

    def moment(self) -> str:
        """After everything that was committed, and before what comes."""
        return self.write("SELECT clock_timestamp()::text").replace(" ", "T")

    def archive_all(self) -> None:
        """Waits until the archive has everything that was committed."""
        segment = self.site.switch_segment()
        wait_until(lambda: self.site.archived(segment), timeout_seconds=60)
