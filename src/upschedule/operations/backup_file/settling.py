"""Updates a restored database: removes references to missing files, and what was deleted since the backup."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql

from upschedule.operations.backup_file.manifest import Manifest, StoredFile

_CONNECT_SECONDS = 10
_FORGET_FILES = """
    WITH gone AS (
        UPDATE jobs SET object_key = NULL, stored_at = NULL
        WHERE object_key IS NOT NULL
          AND (id = ANY (%(removed)s) OR status IN ('completed', 'failed') AND object_key <> ALL (%(kept)s))
        RETURNING account_id, size_bytes
    ), freed AS (
        SELECT account_id, sum(size_bytes) AS size_bytes FROM gone GROUP BY account_id
    )
    UPDATE accounts SET stored_bytes = stored_bytes - freed.size_bytes FROM freed WHERE accounts.id = freed.account_id
"""
_REMOVE = "DELETE FROM jobs WHERE id = ANY (%s)"
#: The tables whose rows people delete or end, with the key by which the same row is found.
_DELETABLE: Mapping[str, tuple[str, ...]] = {
    "accounts": ("id",),
    "jobs": ("id",),
    "calendars": ("id",),
    "sessions": ("id_hash",),
}
_COUNTED = ("accounts", "jobs", "calendars")
_REFUND = """
    WITH freed AS (
        SELECT account_id, sum(size_bytes) AS size_bytes FROM jobs
        WHERE object_key IS NOT NULL AND NOT EXISTS (SELECT FROM present_jobs AS present WHERE present.id = jobs.id)
        GROUP BY account_id
    )
    UPDATE accounts SET stored_bytes = stored_bytes - freed.size_bytes FROM freed WHERE accounts.id = freed.account_id
"""
_END_SESSIONS = """
    UPDATE sessions SET ended_at = present.ended_at FROM present_sessions AS present
    WHERE sessions.id_hash = present.id_hash AND present.ended_at IS NOT NULL AND sessions.ended_at IS NULL
"""
_REPLACE_LINKS = """
    UPDATE calendars SET token_hash = present.token_hash, token_generation = present.token_generation
    FROM present_calendars AS present
    WHERE calendars.id = present.id AND present.token_generation > calendars.token_generation
"""


class DeletedSince(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a backup has been deleted in the present data."""

    accounts: int = 0
    documents: int = 0
    calendars: int = 0

    def __bool__(self) -> bool:
        return any(msgspec.structs.astuple(self))

    def __str__(self) -> str:
        return f"{self.accounts} accounts, {self.documents} documents and {self.calendars} calendars"


class PresentRows:
    """The rows of the present database that say what still exists."""

    def __init__(self, dsn: str) -> None:
        """Copies keys, no contents. Raises psycopg.Error where they cannot be read."""
        self._rows: dict[str, tuple[list[str], list[tuple[object, ...]]]] = {}
        with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
            for table, key in _DELETABLE.items():
                columns = [*key, *_MORE.get(table, ())]
                if connection.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
                    continue
                rows = connection.execute(_select(table, columns)).fetchall()
                self._rows[table] = (columns, rows)

    def copy_to(self, connection: psycopg.Connection) -> None:
        """Copies the rows into temporary tables `present_…`."""
        for table, (columns, rows) in self._rows.items():
            name = sql.Identifier(f"present_{table}")
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            source = sql.SQL("CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS SELECT {names} FROM {table} LIMIT 0")
            connection.execute(source.format(name=name, names=names, table=sql.Identifier(table)))
            with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(name)) as copy:
                for row in rows:
                    copy.write_row(row)

    @property
    def tables(self) -> Collection[str]:
        return self._rows.keys()


_MORE: Mapping[str, tuple[str, ...]] = {"sessions": ("ended_at",), "calendars": ("token_hash", "token_generation")}


def kept_files(manifest: Manifest, *, now: datetime, keep_hours: float) -> list[StoredFile]:
    """The backup's files that retention would not have removed by now (R11.5)."""
    oldest = now - timedelta(hours=keep_hours)
    return [each for each in manifest.files if not each.finished or each.stored_at >= oldest]


def settle(dsn: str, *, removed: Collection[UUID], kept: Collection[str]) -> None:
    """Rows of finished jobs forget files that are not among `kept`, and what was removed is removed."""
    with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        connection.execute(_FORGET_FILES, {"removed": list(removed), "kept": list(kept)})
        connection.execute(_REMOVE, [list(removed)])


def deleted_since(dsn: str, present: PresentRows) -> DeletedSince:
    """Changes nothing."""
    with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        present.copy_to(connection)
        counts = [_count(connection, table) if table in present.tables else 0 for table in _COUNTED]
    return DeletedSince(accounts=counts[0], documents=counts[1], calendars=counts[2])


def delete_again(dsn: str, present: PresentRows) -> None:
    """Deletes what the present data have no more, ends sessions that were ended, and keeps feed links replaced."""
    with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        present.copy_to(connection)
        if "jobs" in present.tables:
            connection.execute(_REFUND)
        for table in present.tables:
            connection.execute(_with_absent("DELETE FROM {table} WHERE {absent}", table))
        if "sessions" in present.tables:
            connection.execute(_END_SESSIONS)
        if "calendars" in present.tables:
            connection.execute(_REPLACE_LINKS)


def _count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(_with_absent("SELECT count(*) FROM {table} WHERE {absent}", table)).fetchone()
    return row[0] if row else 0


def _with_absent(statement: LiteralString, table: str) -> sql.Composed:
    """`{absent}` becomes the condition that the present data do not have a row."""
    same = sql.SQL(" AND ").join(
        sql.SQL("present.{column} = {table}.{column}").format(column=sql.Identifier(each), table=sql.Identifier(table))
        for each in _DELETABLE[table]
    )
    absent = sql.SQL("NOT EXISTS (SELECT FROM {present} AS present WHERE {same})").format(
        present=sql.Identifier(f"present_{table}"), same=same
    )
    return sql.SQL(statement).format(table=sql.Identifier(table), absent=absent)


def _select(table: str, columns: list[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("SELECT {names} FROM {table}").format(names=names, table=sql.Identifier(table))
