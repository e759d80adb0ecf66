"""Records the contents of the database at an exact place of the write-ahead log."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from upschedule.backoff import jittered
from upschedule.operations.cluster_backup.archive import await_archived
from upschedule.operations.cluster_backup.errors import NeverQuiet
from upschedule.operations.cluster_backup.model import Reference
from upschedule.operations.migration.migrate import Timing
from upschedule.operations.table_sums import read_sums

_CONNECT_SECONDS = 10
_LOOK_SECONDS = 0.02
_STATEMENT_MILLISECONDS = 600_000
# Whether no transaction that the snapshot counts as begun is open, and the number after the last one that has ended.
_MOMENT = """
    SELECT pg_snapshot_xmin(now) = pg_snapshot_xmax(now), pg_snapshot_xmax(now)::text
    FROM pg_current_snapshot() AS now
"""
# A snapshot does not know the transactions that began after the last one that has ended. Each holds this lock until the
# next snapshot sees that it has ended.
_WRITERS = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid')"


@dataclass(frozen=True, kw_only=True)
class ReferenceOptions:
    """`dsn` is the backup role's on the database; `quiet_seconds` bounds the search for a moment without writers."""

    dsn: str
    quiet_seconds: float = 60.0
    archive_seconds: float = 120.0


def take_reference(
    name: str, options: ReferenceOptions, timing: Timing, now: Callable[[], datetime] = lambda: datetime.now(tz=UTC)
) -> Reference:
    """Makes a restore point, whose name begins with `name`, and awaits its archiving. Raises NeverQuiet or NotArchived.

    A snapshot and a restore point describe the same contents if no transaction that writes ended between them. Such
    moments are short and frequent, and looking for one delays no writer.
    """
    with psycopg.connect(options.dsn, autocommit=True, connect_timeout=_CONNECT_SECONDS) as marker:
        reference, segment = _search(name, options, timing, marker, now)
        await_archived(marker, segment, seconds_max=options.archive_seconds, timing=timing)
    return reference


def _search(
    name: str, options: ReferenceOptions, timing: Timing, marker: psycopg.Connection, now: Callable[[], datetime]
) -> tuple[Reference, str]:
    """The reference and the segment that holds its restore point."""
    deadline = timing.clock() + options.quiet_seconds
    attempt = 0
    with psycopg.connect(options.dsn, connect_timeout=_CONNECT_SECONDS) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.read_only = True
        while timing.clock() <= deadline:
            attempt += 1
            taken_at = now()
            # Recovery ends at the first restore point of a name, so each attempt has its own.
            point = f"{name}-{attempt}"
            if segment := _mark(reader, marker, point):
                reader.execute(f"SET LOCAL statement_timeout = {_STATEMENT_MILLISECONDS}".encode())
                return Reference(restore_point=point, taken_at=taken_at, tables=read_sums(reader)), segment
            reader.rollback()
            timing.pause(jittered(_LOOK_SECONDS, 0.9, timing.roll()))
    raise NeverQuiet(options.quiet_seconds)


def _mark(reader: psycopg.Connection, marker: psycopg.Connection, point: str) -> str | None:
    """The segment that holds the restore point; None if others wrote."""
    quiet, before = reader.execute(_MOMENT).fetchone() or (False, "")
    if not quiet:
        return None
    row = marker.execute("SELECT pg_walfile_name(pg_create_restore_point(%s))", [point]).fetchone()
    # In this order: who holds no lock any more has ended for the snapshot that comes next.
    writers = marker.execute(_WRITERS).fetchone()
    after = marker.execute(_MOMENT).fetchone()
    if row is None or writers != (False,) or after != (True, before):
        return None
    # Only a complete segment is archived.
    marker.execute("SELECT pg_switch_wal()")
    return row[0]
