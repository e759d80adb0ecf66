"""Handles the database in a backup file: one snapshot with checksums and needed files, the dump, the comparison."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import dict_row

from upschedule.operations import table_sums
from upschedule.operations.backup_file.errors import Refused
from upschedule.operations.backup_file.manifest import AppliedName, StoredFile
from upschedule.operations.migration.files import AppliedMigration
from upschedule.operations.migration.migrate import read_applied
from upschedule.operations.table_sums import TableSum, read_sums

_CONNECT_SECONDS = 10
_LOCK_MILLISECONDS = 30_000
_SEQUENCES = """
    SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences
    WHERE schemaname = 'public' AND has_sequence_privilege(format('%I.%I', schemaname, sequencename), 'SELECT')
"""
# Files of jobs that may still be read.
_NEEDED = """
    SELECT id AS job, object_key AS key, encode(sha256, 'hex') AS sha256, size_bytes,
           status IN ('completed', 'failed') AS finished, stored_at
    FROM jobs
    WHERE object_key IS NOT NULL AND (status <> 'completed' OR provisional_release IS NOT NULL)
    ORDER BY object_key
"""
_KEY_NOW = "SELECT object_key FROM jobs WHERE id = %s"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The contents of the database at one moment; `id` is the exported snapshot, valid while its transaction lasts."""

    id: str
    taken_at: datetime
    postgres_major: int
    migrations: tuple[AppliedName, ...]
    tables: dict[str, TableSum]
    sequences: dict[str, int]
    needed: tuple[StoredFile, ...]


@contextmanager
def snapshot(dsn: str) -> Generator[Snapshot]:
    """Raises Refused if the database has no schema."""
    with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}".encode())
        identity, taken_at = _row(connection, "SELECT pg_export_snapshot(), now()")
        # Sequences are in no snapshot, so they are read before the dump.
        yield Snapshot(
            id=identity,
            taken_at=taken_at,
            postgres_major=connection.info.server_version // 10_000,
            migrations=_migrations(connection),
            tables=read_sums(connection),
            sequences=_sequences(connection),
            needed=needed_files(connection),
        )


def needed_files(connection: psycopg.Connection) -> tuple[StoredFile, ...]:
    """The objects that jobs may still need."""
    rows = connection.cursor(row_factory=dict_row).execute(_NEEDED).fetchall()
    return msgspec.convert(tuple(rows), tuple[StoredFile, ...])


def key_now(dsn: str, job: UUID) -> tuple[str | None] | None:
    """The key of the object that the job's row names at this moment; None if there is no such job any more."""
    with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        return connection.execute(_KEY_NOW, [job]).fetchone()


def differences(dsn: str, tables: Mapping[str, TableSum], sequences: Mapping[str, int]) -> list[str]:
    """One sentence for each table or sequence that is not as it was backed up."""
    with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        found, values = read_sums(connection), _sequences(connection)
    behind = [name for name, value in sequences.items() if values.get(name, -1) < value]
    return [*table_sums.differences(tables, found), *(f"the sequence {name} is behind" for name in behind)]


def _migrations(connection: psycopg.Connection) -> tuple[AppliedName, ...]:
    applied = read_applied(connection)
    if not applied:
        raise Refused("The database is empty: `make run` has not finished its first start yet.")
    return tuple(AppliedName(each.number, each.name, each.checksum) for each in applied)


def applied_migrations(names: tuple[AppliedName, ...]) -> list[AppliedMigration]:
    """The applied migrations in the form that `plan` compares with the migrations of this release."""
    return [AppliedMigration(number=each.number, name=each.name, checksum=each.checksum) for each in names]


def _sequences(connection: psycopg.Connection) -> dict[str, int]:
    return dict(connection.execute(_SEQUENCES).fetchall())


def _row(connection: psycopg.Connection, query: LiteralString) -> tuple[Any, ...]:
    (row,) = connection.execute(query).fetchall()
    return row
