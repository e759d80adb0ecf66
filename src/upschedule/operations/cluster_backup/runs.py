"""The table `backup_runs`, from which schedulers show how the backups are doing (R9.5)."""

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
import structlog

from upschedule.operations.cluster_backup.errors import ClusterBackupError, NotVerified
from upschedule.operations.cluster_backup.model import BackupSet, Verification

_log = structlog.get_logger(__name__)
_CONNECT_SECONDS = 10
_STATEMENT_MILLISECONDS = 10_000
_REASON_CHARACTERS_MAX = 1000

_ALIVE_SECONDS = 30.0
# After three missing writes a run counts as killed.
_KILLED_AFTER = 3

_BEGUN = """
    INSERT INTO backup_runs (began_at, alive_until) VALUES (%(at)s, now() + make_interval(secs => %(alive)s))
    RETURNING id
"""
_ALIVE = """
    UPDATE backup_runs SET alive_until = now() + make_interval(secs => %(alive)s)
    WHERE id = %(run)s AND ended_at IS NULL
"""
_MADE = """
    UPDATE backup_runs SET label = %(label)s, made_at = %(made_at)s, backup_seconds = %(seconds)s,
        size_bytes = %(size_bytes)s, stored_bytes = %(stored_bytes)s
    WHERE id = %(run)s
"""
_VERIFIED = """
    UPDATE backup_runs SET verified_at = %(at)s, verification_seconds = %(seconds)s, outcome = 'verified', reason = NULL
    WHERE label = %(label)s
"""
_NOT_VERIFIED = """
    UPDATE backup_runs SET verified_at = NULL, verification_seconds = NULL, outcome = 'not verified',
        reason = %(reason)s
    WHERE label = %(label)s
"""
_ENDED = """
    UPDATE backup_runs SET ended_at = %(at)s, outcome = coalesce(%(outcome)s, outcome),
        reason = coalesce(%(reason)s, reason)
    WHERE id = %(run)s
"""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """No method raises: a backup is worth more than its row. The age of the newest row is alerted as well.

    `dsn` is the backup role's on the database.
    """

    dsn: str = field(repr=False)
    #: How often a run shows that it goes on.
    alive_seconds: float = _ALIVE_SECONDS

    def begin(self, at: datetime) -> int | None:
        """The number of the run; None if it could not be recorded, and then the other methods do nothing for it."""
        return self._write(_BEGUN, {"at": at, "alive": self._alive_for})

    @contextmanager
    def kept_alive(self, run: int | None) -> Generator[None]:
        """Shows all the time that the run goes on: its steps are programs that take minutes."""
        ended = threading.Event()

        def write() -> None:
            while not ended.wait(self.alive_seconds):
                self._write(_ALIVE, {"run": run, "alive": self._alive_for})

        thread = threading.Thread(target=write, name="backup-alive")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def made(self, run: int | None, backup: BackupSet) -> None:
        """The backup is in the repository, and does not count yet."""
        values = {
            "run": run,
            "label": backup.label,
            "made_at": backup.finished_at,
            "seconds": (backup.finished_at - backup.started_at).total_seconds(),
            "size_bytes": backup.size_bytes,
            "stored_bytes": backup.stored_bytes,
        }
        self._write(_MADE, values)

    def verified(self, label: str, verification: Verification) -> None:
        """How the last verification of this backup ended, whichever run it belongs to."""
        values = {
            "label": label,
            "at": verification.finished_at,
            "seconds": verification.seconds,
            "reason": _short("; ".join(verification.problems)),
        }
        self._write(_NOT_VERIFIED if verification.problems else _VERIFIED, values)

    def end(self, run: int | None, at: datetime, error: ClusterBackupError | None = None) -> None:
        """The run is over. What `verified` recorded stays, unless something else failed."""
        failed = error is not None and not isinstance(error, NotVerified)
        values = {
            "run": run,
            "at": at,
            "outcome": "failed" if failed else None,
            "reason": _short(str(error)) if failed else None,
        }
        self._write(_ENDED, values)

    @property
    def _alive_for(self) -> float:
        return _KILLED_AFTER * self.alive_seconds

    def _write(self, statement: str, values: Mapping[str, Any]) -> int | None:
        try:
            with psycopg.connect(self.dsn, autocommit=True, connect_timeout=_CONNECT_SECONDS) as connection:
                connection.execute(f"SET statement_timeout = {_STATEMENT_MILLISECONDS}".encode())
                cursor = connection.execute(statement.encode(), values)
                row = cursor.fetchone() if cursor.description else None
                return row[0] if row else None
        except psycopg.Error as error:
            _log.warning("backup_not_recorded", reason=str(error).strip())
            return None


def _short(text: str) -> str:
    return text[:_REASON_CHARACTERS_MAX]


@dataclass(frozen=True, kw_only=True)
class VerifiedBackup:
    """One that counts."""

    label: str
    made_at: datetime


def newest_verified(connection: psycopg.Connection) -> VerifiedBackup | None:
    """Any role that may read the table may ask."""
    row = connection.execute(_NEWEST_VERIFIED).fetchone()
    return VerifiedBackup(label=row[0], made_at=row[1]) if row else None


def is_backup_running(connection: psycopg.Connection) -> bool:
    """False for a run that was killed."""
    row = connection.execute(_RUNNING).fetchone()
    return bool(row and row[0])


_NEWEST_VERIFIED = """
    SELECT label, made_at FROM backup_runs WHERE verified_at IS NOT NULL AND made_at IS NOT NULL
    ORDER BY made_at DESC LIMIT 1
"""
_RUNNING = "SELECT EXISTS (SELECT FROM backup_runs WHERE ended_at IS NULL AND alive_until > now())"
