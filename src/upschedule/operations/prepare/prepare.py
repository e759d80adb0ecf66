"""Prepares a release: backs up, migrates and marks it prepared, in one process at a time (R12.1, R12.5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import structlog

from upschedule.backoff import jittered
from upschedule.operations.migration.files import plan
from upschedule.operations.migration.migrate import MigrationPolicy, Timing, migrate, read_applied
from upschedule.operations.prepare import restore_point
from upschedule.operations.prepare.backup import BackupOptions, back_up
from upschedule.operations.prepare.contracts import Permission, permit
from upschedule.operations.prepare.errors import TurnNotTaken
from upschedule.operations.prepare.ledger import is_prepared, mark, read_levels
from upschedule.operations.prepare.release_folder import UnpackedRelease
from upschedule.operations.prepare.restore_point import RestorePointOptions
from upschedule.operations.privileges.grants import grant_backup

_ADVISORY_LOCK = 0x7570707265706172  # "upprepar"
_CONNECT_SECONDS = 10
_log = structlog.get_logger(__name__)

# Longest pause before another look whether the lock is free.
_TURN_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """`running` is a file with the versions that run now, one a line, which Nomad keeps up to date; None: not known.

    An instance may still work for `drain_seconds` after it has left that file. A migration that blocks a table for more
    than `blocking_seconds` is cancelled.
    """

    owner_url: str
    #: The URL of a role that reads everything and changes nothing.
    backup_url: str
    application_role: str
    #: How the database is dumped where it has no restore points.
    backup: BackupOptions
    #: None where PostgreSQL is not backed up by the stack.
    restore_point: RestorePointOptions | None
    running: Path | None
    turn_seconds: float
    drain_seconds: float
    blocking_seconds: float


@dataclass(frozen=True, kw_only=True)
class PrepareReport:
    """Names of migration files. `held`: contractions that wait for the next release.

    `backup` is the restore point, or the object of the dump; None: nothing was left to prepare, or it is a return.
    """

    version: str
    backup: str | None
    applied: Sequence[str] = ()
    held: Sequence[str] = ()


def _now() -> datetime:
    return datetime.now(tz=UTC)


def prepare(
    release: UnpackedRelease, options: PrepareOptions, timing: Timing, now: Callable[[], datetime] = _now
) -> PrepareReport:
    """Prepares the database for the release. If several callers run at once, one works and the others wait for it.

    Raises PrepareError, MigrationError, RoleMissing, or psycopg.OperationalError if the database cannot be reached.
    """
    with psycopg.connect(
        options.owner_url, autocommit=True, connect_timeout=_CONNECT_SECONDS, keepalives_idle=10, keepalives_interval=5
    ) as connection:
        if not _take_turn(connection, release, options, timing):
            return PrepareReport(version=release.version, backup=None)
        if is_prepared(connection, release) and (points := options.restore_point):
            # Other settings or secrets, or a return to this release.
            point = restore_point.ensure_on_return(connection, release.version, now(), points, timing)
            return PrepareReport(version=release.version, backup=point)
        _permission(connection, release, options)
        grant_backup(connection)
        backup = _back_up(connection, release, options, timing, now())
        permission = _settled_permission(connection, release, options, timing)
        report = migrate(
            options.owner_url,
            permission.allowed,
            application_role=options.application_role,
            policy=MigrationPolicy(blocking_seconds_max=options.blocking_seconds),
            timing=timing,
        )
        # Uses the connection that holds the lock: if it was lost, the release is not marked.
        mark(connection, release, backup)
    held = [migration.name for migration in permission.held]
    return PrepareReport(version=release.version, backup=backup, applied=report.applied, held=held)


def _back_up(
    connection: psycopg.Connection, release: UnpackedRelease, options: PrepareOptions, timing: Timing, now: datetime
) -> str:
    points = options.restore_point
    if points and restore_point.is_supported(connection):
        return restore_point.ensure_restore_point(connection, release.version, now, points, timing)
    backup = back_up(options.backup_url, release.version, now, options.backup)
    _log.info("backup_made", backup=backup)
    return backup


def _take_turn(
    connection: psycopg.Connection, release: UnpackedRelease, options: PrepareOptions, timing: Timing
) -> bool:
    """Waits for the lock. False once nothing is left to prepare."""
    deadline = timing.clock() + options.turn_seconds
    while not _is_done(connection, release, options):
        # Polled, as in `migrate`: a waiter inside pg_advisory_lock() would hold up CREATE INDEX CONCURRENTLY.
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_ADVISORY_LOCK]).fetchone()
        if row and row[0]:
            return not _is_done(connection, release, options)
        if timing.clock() > deadline:
            raise TurnNotTaken(options.turn_seconds)
        timing.pause(jittered(_TURN_SECONDS, 0.8, timing.roll()))
    return False


def _is_done(connection: psycopg.Connection, release: UnpackedRelease, options: PrepareOptions) -> bool:
    if not is_prepared(connection, release):
        return False
    points = options.restore_point
    if points is None or not restore_point.is_supported(connection):
        return True
    return restore_point.is_begun(connection, points)


def _settled_permission(
    connection: psycopg.Connection, release: UnpackedRelease, options: PrepareOptions, timing: Timing
) -> Permission:
    """Before a contract migration, waits until instances that are no longer in the file have finished their work."""
    permission = _permission(connection, release, options)
    if permission.contracts(read_applied(connection)):
        timing.pause(options.drain_seconds)
        permission = _permission(connection, release, options)
    for migration in permission.held:
        _log.info("contract_held", migration=migration.name)
    return permission


def _permission(connection: psycopg.Connection, release: UnpackedRelease, options: PrepareOptions) -> Permission:
    applied = read_applied(connection)
    plan(release.migrations, applied)
    others = set(options.running.read_text(encoding="utf-8").split() if options.running else ()) - {release.version}
    return permit(release.migrations, applied, others, read_levels(connection))
