"""The table `backup_runs`, from which schedulers show how the backups are doing (R9.5)."""

from collections.abc import Mapping
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

_BEGUN = "INSERT INTO backup_runs (began_at) VALUES (%(at)s) RETURNING id"
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

    def begin(self, at: datetime) -> int | None:
        """The number of the run; None if it could not be recorded, and then the other methods do nothing for it."""
        return self._write(_BEGUN, {"at": at})

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
