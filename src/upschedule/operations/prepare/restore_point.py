"""Marks the place in the write-ahead log to which the database can be restored after a bad release (R12.5)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import structlog

from upschedule.backoff import jittered
from upschedule.operations.cluster_backup.archive import await_archived
from upschedule.operations.cluster_backup.errors import NotArchived
from upschedule.operations.cluster_backup.runs import is_backup_running, newest_verified
from upschedule.operations.migration.migrate import Timing
from upschedule.operations.prepare.errors import NoFreshBackup, PrepareError, RestorePointFailed

_log = structlog.get_logger(__name__)
_CONNECT_SECONDS = 10
_LOOK_SECONDS = 2.0
#: PostgreSQL cuts the names of restore points off after this.
_NAME_CHARACTERS_MAX = 63

_EXISTS = "SELECT to_regclass('restore_points') IS NOT NULL"
_NEWEST = "SELECT name, deployment, made_at FROM restore_points ORDER BY id DESC LIMIT 1"
_KNOWN = "SELECT EXISTS (SELECT FROM restore_points WHERE deployment = %s)"
_ADD = "INSERT INTO restore_points (name, deployment, version, made_at, backup) VALUES (%s, %s, %s, %s, %s)"


@dataclass(frozen=True, kw_only=True)
class RestorePointOptions:
    """`deployment` names release, settings and secrets together; `running` is a file with those that run, one a line.

    `dsn` is the backup role's. A release that is tried again within `reuse_seconds` uses the restore point that it has.
    """

    dsn: str = field(repr=False)
    deployment: str
    running: Path | None
    backup_hours: float
    backup_wait_seconds: float
    archive_seconds: float = 120.0
    reuse_seconds: float = 900.0


def is_supported(connection: psycopg.Connection) -> bool:
    """False for a database from before restore points, which is dumped as its releases did."""
    row = connection.execute(_EXISTS).fetchone()
    return bool(row and row[0])


def is_begun(connection: psycopg.Connection, options: RestorePointOptions) -> bool:
    """Whether this is another instance of what was begun before, or a return to what still runs."""
    if options.running and options.deployment in options.running.read_text(encoding="utf-8").split():
        return True
    newest = connection.execute(_NEWEST).fetchone()
    return newest is not None and newest[1] == options.deployment


def ensure_restore_point(
    connection: psycopg.Connection, version: str, now: datetime, options: RestorePointOptions, timing: Timing
) -> str:
    """The name of a restore point from before this release, whose write-ahead log is archived.

    `connection` is the owner's. Raises NoFreshBackup, RestorePointFailed.
    """
    newest = connection.execute(_NEWEST).fetchone()
    if newest and newest[1] == options.deployment and now - newest[2] < timedelta(seconds=options.reuse_seconds):
        return newest[0]
    backup = _await_fresh_backup(connection, now, options, timing)
    name = f"release-{now:%Y%m%dT%H%M%S%f}Z-{version}"[:_NAME_CHARACTERS_MAX]
    try:
        _mark(name, options, timing)
    except (psycopg.Error, NotArchived) as error:
        raise RestorePointFailed(str(error).strip()) from error
    connection.execute(_ADD, [name, options.deployment, version, now, backup])
    _log.info("restore_point_made", restore_point=name, backup=backup)
    return name


def ensure_on_return(
    connection: psycopg.Connection, version: str, now: datetime, options: RestorePointOptions, timing: Timing
) -> str | None:
    """Makes a restore point for the return to a release that was prepared before.

    No migration runs then, so the return must not depend on the backups. Raises what `ensure_restore_point` raises if
    the release never had these settings or secrets.
    """
    try:
        return ensure_restore_point(connection, version, now, options, timing)
    except PrepareError as error:
        row = connection.execute(_KNOWN, [options.deployment]).fetchone()
        if not (row and row[0]):
            raise
        _log.warning("restore_point_not_made", reason=str(error))
        return None


def _await_fresh_backup(
    connection: psycopg.Connection, now: datetime, options: RestorePointOptions, timing: Timing
) -> str:
    """The label. Waits for a backup that is being made."""
    oldest = now - timedelta(hours=options.backup_hours)
    deadline = timing.clock() + options.backup_wait_seconds
    while True:
        newest = newest_verified(connection)
        if newest and newest.made_at >= oldest:
            return newest.label
        running = is_backup_running(connection)
        if not running or timing.clock() > deadline:
            raise NoFreshBackup(options.backup_hours, _STILL_RUNNING if running else "")
        timing.pause(jittered(_LOOK_SECONDS, 0.5, timing.roll()))


_STILL_RUNNING = ", and the one that is being made is not verified yet"


def _mark(name: str, options: RestorePointOptions, timing: Timing) -> None:
    with psycopg.connect(options.dsn, autocommit=True, connect_timeout=_CONNECT_SECONDS) as connection:
        row = connection.execute("SELECT pg_walfile_name(pg_create_restore_point(%s))", [name]).fetchone()
        # Only a complete segment is archived.
        connection.execute("SELECT pg_switch_wal()")
        await_archived(connection, str(row[0]) if row else "", seconds_max=options.archive_seconds, timing=timing)
