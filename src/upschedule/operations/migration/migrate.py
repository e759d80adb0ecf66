"""Applies the migrations that the database lacks (R12.1): plain SQL files, forward only, expand before contract.

See docs/decisions/0002-migrations.md for the rules of the files and why the lock is polled.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import errors

from upschedule.backoff import Backoff, jittered
from upschedule.operations.migration.blocking import BlockingWatch, watching
from upschedule.operations.migration.errors import (
    LockAttemptsExhausted,
    MigrationBlocksTooLong,
    MigrationFailed,
    MigrationInProgress,
    MigrationUnwatched,
)
from upschedule.operations.migration.files import AppliedMigration, Migration, plan
from upschedule.operations.privileges.grants import grant_all

_ADVISORY_LOCK = 0x7570736368656475  # "upschedu"
# Longest pause before another look whether the lock is free.
_TURN_SECONDS = 0.5
_CONNECT_SECONDS = 10

_CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


@dataclass(frozen=True, kw_only=True)
class MigrationPolicy:
    """`lock_timeout_seconds` bounds how long the queries behind a waiting statement are held up.

    `blocking_seconds_max` bounds the whole time for which one attempt at a migration blocks the running release.
    It is below the application's longest statement (R3.2), which includes waiting for a lock.
    """

    blocking_seconds_max: float = 5.0
    lock_timeout_seconds: float = 4.0
    statement_timeout_seconds: float = 60.0
    unbounded_statement_timeout_seconds: float = 3600.0
    lock_attempts: int = 10
    retry_seconds_max: float = 10.0
    turn_timeout_seconds: float = 600.0


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Clock, pauses and randomness, which tests replace. `0 <= roll() < 1`."""

    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    roll: Callable[[], float] = field(default=random.SystemRandom().random)


@dataclass(frozen=True, kw_only=True)
class MigrationReport:
    """Names of files. `ahead` are expansions of a newer release, which this one works with."""

    applied: Sequence[str]
    present: Sequence[str]
    ahead: Sequence[str]


def migrate(
    dsn: str,
    migrations: Sequence[Migration],
    *,
    application_role: str,
    policy: MigrationPolicy,
    timing: Timing,
) -> MigrationReport:
    """Apply the missing migrations as the owner of the schema. Of concurrent callers one works, and the others wait."""
    with psycopg.connect(dsn, autocommit=True, connect_timeout=_CONNECT_SECONDS) as conn:
        _take_lock(conn, policy, timing)
        conn.execute(_CREATE_TABLE)
        steps = plan(migrations, read_applied(conn))
        for migration in steps.pending:
            _apply(dsn, conn, migration, policy, timing)
        grant_all(conn, shared_role=application_role, only_add=bool(steps.ahead))
    return MigrationReport(
        applied=[migration.name for migration in steps.pending],
        present=[migration.name for migration in steps.present],
        ahead=[applied.name for applied in steps.ahead],
    )


def _take_lock(conn: psycopg.Connection, policy: MigrationPolicy, timing: Timing) -> None:
    # A waiter inside pg_advisory_lock() holds a snapshot that CREATE INDEX CONCURRENTLY waits for: deadlock.
    deadline = timing.clock() + policy.turn_timeout_seconds
    while not _scalar(conn, "SELECT pg_try_advisory_lock(%s)", _ADVISORY_LOCK):
        if timing.clock() > deadline:
            raise MigrationInProgress(policy.turn_timeout_seconds)
        timing.pause(jittered(_TURN_SECONDS, 0.8, timing.roll()))


def _apply(dsn: str, conn: psycopg.Connection, migration: Migration, policy: MigrationPolicy, timing: Timing) -> None:
    backoff = Backoff(base_seconds=2.0, max_seconds=policy.retry_seconds_max, jitter=1.0)
    for attempt in range(1, policy.lock_attempts + 1):
        try:
            return _apply_watched(dsn, conn, migration, policy, timing)
        except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
            if attempt == policy.lock_attempts:
                raise LockAttemptsExhausted(migration.name, attempt) from error
            timing.pause(backoff.pause_seconds(attempt, timing.roll()))
        except psycopg.Error as error:
            raise MigrationFailed(migration.name, str(error)) from error
    return None


def _apply_watched(
    dsn: str, conn: psycopg.Connection, migration: Migration, policy: MigrationPolicy, timing: Timing
) -> None:
    with watching(dsn, conn, seconds_max=policy.blocking_seconds_max, clock=timing.clock) as watch:
        try:
            _apply_once(conn, migration, policy)
        except errors.QueryCanceled as error:
            _explain_cancellation(migration, policy, watch, error)
            raise


def _explain_cancellation(
    migration: Migration, policy: MigrationPolicy, watch: BlockingWatch, error: errors.QueryCanceled
) -> None:
    """Does nothing where `statement_timeout` was the reason."""
    if watch.exceeded:
        raise MigrationBlocksTooLong(
            migration.name,
            table=watch.table,
            seconds=watch.seconds,
            seconds_max=policy.blocking_seconds_max,
            transactional=migration.transactional,
        ) from error
    if watch.failure is not None:
        raise MigrationUnwatched(migration.name, str(watch.failure)) from error


def _apply_once(conn: psycopg.Connection, migration: Migration, policy: MigrationPolicy) -> None:
    if migration.transactional:
        _limit(conn, policy.lock_timeout_seconds, policy.statement_timeout_seconds)
        with conn.transaction():
            conn.execute(migration.sql.encode())
            _record(conn, migration)
        return
    # Building an index without blocking writers waits for every older transaction, as long as that takes.
    _limit(conn, policy.lock_timeout_seconds, policy.unbounded_statement_timeout_seconds)
    for statement in migration.statements:
        conn.execute(statement.encode())
    _record(conn, migration)


def _limit(conn: psycopg.Connection, lock_seconds: float, statement_seconds: float) -> None:
    for name, seconds in (("lock_timeout", lock_seconds), ("statement_timeout", statement_seconds)):
        conn.execute("SELECT set_config(%s, %s, false)", [name, f"{seconds * 1000:.0f}ms"])


def _record(conn: psycopg.Connection, migration: Migration) -> None:
    conn.execute(
        "INSERT INTO schema_migrations (number, name, checksum) VALUES (%s, %s, %s)",
        [migration.number, migration.name, migration.checksum],
    )


def read_applied(conn: psycopg.Connection) -> list[AppliedMigration]:
    """The applied migrations in order; empty before the first one."""
    if _scalar(conn, "SELECT to_regclass(%s)", "schema_migrations") is None:
        return []
    rows = conn.execute("SELECT number, name, checksum FROM schema_migrations ORDER BY number")
    return [AppliedMigration(number=number, name=name, checksum=checksum) for number, name, checksum in rows]


def _scalar(conn: psycopg.Connection, query: str, value: object) -> object:
    row = conn.execute(query.encode(), [value]).fetchone()
    return row[0] if row else None
