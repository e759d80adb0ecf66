"""What one account, or one table, had at an earlier moment: beside the live system, which goes on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import msgspec
import psycopg
from psycopg import sql

from upschedule.operations.cluster_backup.errors import ClusterBackupError, ExitCode, StepFailed
from upschedule.operations.cluster_backup.records import Records
from upschedule.operations.cluster_backup.repository import Repository
from upschedule.operations.cluster_backup.scratch import ScratchOptions, restored
from upschedule.operations.cluster_backup.target import choose_target

_CONNECT_SECONDS = 10
_OWN = "SELECT id FROM accounts WHERE id::text = %(account)s OR email = %(account)s"
_OF_CALENDARS = "calendar_id IN (SELECT id FROM calendars WHERE account_id = %(id)s)"
#: Which rows are an account's, by table, in the order in which they can be inserted. Sessions and links by mail are not
#: among them: they let people in.
_ROWS: Mapping[str, LiteralString] = {
    "accounts": "id = %(id)s",
    "jobs": "account_id = %(id)s",
    "events": "job_id IN (SELECT id FROM jobs WHERE account_id = %(id)s)",
    "calendars": "account_id = %(id)s",
    "calendar_jobs": _OF_CALENDARS,
    "calendar_replacements": _OF_CALENDARS,
    "calendar_shares": _OF_CALENDARS,
    "calendar_entries": _OF_CALENDARS,
}
#: A file that is gone is not promised: the row is that of a document after 24 hours (R11.5).
_WITHOUT_FILE = {"jobs": '{"object_key": null, "stored_at": null}'}
_READ = "SELECT (to_jsonb(whole_row) || {changes}::jsonb)::text FROM {table} AS whole_row WHERE {condition} ORDER BY 1"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


class NotThere(ClusterBackupError):
    """Nothing of that name existed at the moment."""

    exit_code = ExitCode.UNKNOWN

    def __init__(self, what: str, to: str) -> None:
        super().__init__(f"There was no {what} at {to}.")


@dataclass(frozen=True, kw_only=True)
class ExtractOptions:
    """`account` is an id or an address; otherwise `table` is the name of one. `live_dsn` is the backup role's."""

    to: str
    account: str | None
    table: str | None
    output: Path
    database: str
    live_dsn: str = field(repr=False)
    scratch: ScratchOptions
    report: Callable[[str], None]


class TableDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Rows then, those of them that are not there now as they were, and rows that are there now only as they are."""

    table: str
    then: int
    lost: int
    new: int


Rows = Mapping[str, Sequence[str]]


def extract(repository: Repository, records: Records, options: ExtractOptions) -> list[TableDifference]:
    """Writes statements for `psql` that insert what is missing now. Raises ClusterBackupError."""
    known = [(each, records.get(each.label)) for each in repository.backups()]
    target = choose_target(options.to, known)
    options.report(f"Restoring {target.label} into a scratch server, to {options.to} …")
    try:
        with restored(target, repository, options.scratch) as server:
            then = _read(server.dsn(options.database), options)
        if not any(then.values()):
            raise NotThere(f"account {options.account}" if options.account else f"table {options.table}", options.to)
        options.report("Comparing with the live database …")
        now = _read(options.live_dsn, options)
        options.output.touch(mode=0o600)
        options.output.write_text(_statements(then), encoding="utf-8")
    except psycopg.Error as error:
        raise StepFailed("Asking PostgreSQL", str(error).strip()) from error
    except OSError as error:
        raise StepFailed("Writing what was restored", f"{options.output}: {error.strerror}") from error
    return [_difference(table, rows, now.get(table, ())) for table, rows in then.items()]


def _read(dsn: str, options: ExtractOptions) -> Rows:
    """Rows as JSON, as one transaction sees them. Empty where there is nothing of that name."""
    with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        tables = {name for (name,) in connection.execute(_TABLES)}
        if options.table:
            return {options.table: _rows(connection, options.table, "true", {})} if options.table in tables else {}
        owner = connection.execute(_OWN, {"account": options.account}).fetchone()
        if owner is None:
            return {}
        return {
            table: _rows(connection, table, condition, {"id": owner[0]})
            for table, condition in _ROWS.items()
            if table in tables
        }


def _rows(
    connection: psycopg.Connection, table: str, condition: LiteralString, values: Mapping[str, object]
) -> Sequence[str]:
    query = sql.SQL(_READ).format(
        changes=sql.Literal(_WITHOUT_FILE.get(table, "{}")), table=sql.Identifier(table), condition=sql.SQL(condition)
    )
    return [text for (text,) in connection.execute(query, values)]


def _statements(rows: Rows) -> str:
    """Inserts the rows that are missing, all or none."""
    inserts = "\n".join(_insert(table, each) for table, texts in rows.items() for each in texts)
    return f"BEGIN;\n{inserts}\nCOMMIT;\n"


def _insert(table: str, row: str) -> str:
    quoted = row.replace("'", "''")
    return (
        f'INSERT INTO "{table}" OVERRIDING SYSTEM VALUE '  # noqa: S608 - the names of the database's own tables
        f"SELECT * FROM jsonb_populate_record(NULL::\"{table}\", '{quoted}') ON CONFLICT DO NOTHING;"
    )


def _difference(table: str, then: Sequence[str], now: Sequence[str]) -> TableDifference:
    before, after = set(then), set(now)
    return TableDifference(table=table, then=len(then), lost=len(before - after), new=len(after - before))
