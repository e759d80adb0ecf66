"""Exports metrics of the cluster's backups, from the rows of `operations/cluster_backup/runs.py` (R9.5)."""

import structlog
from psycopg.rows import DictRow

from upschedule.metrics import (
    BACKUP_DURATION_SECONDS,
    BACKUP_RUN_TIME,
    BACKUP_SIZE_BYTES,
    BACKUP_TIME,
    RESTORE_DRILL_TIME,
)
from upschedule.stores.database import Database
from upschedule.stores.readiness import failure_of

_log = structlog.get_logger(__name__)

_NEWEST = """
    SELECT extract(epoch FROM last.began_at)::float8 AS began,
           CASE WHEN last.outcome = 'running' AND last.alive_until < now() THEN 'killed' ELSE last.outcome END
               AS outcome,
           extract(epoch FROM counts.made_at)::float8 AS made, counts.backup_seconds, counts.verification_seconds,
           counts.size_bytes, counts.stored_bytes
    FROM (SELECT began_at, outcome, alive_until FROM backup_runs ORDER BY id DESC LIMIT 1) AS last
    LEFT JOIN (
        SELECT made_at, backup_seconds, verification_seconds, size_bytes, stored_bytes FROM backup_runs
        WHERE verified_at IS NOT NULL ORDER BY made_at DESC LIMIT 1
    ) AS counts ON true
"""
# The stack's PostgreSQL archives by pgBackRest. One elsewhere is backed up by its provider, `make run` by its operator.
_EXPECTED_SINCE = """
    SELECT extract(epoch FROM min(prepared_at))::float8 AS since FROM releases
    WHERE strpos(current_setting('archive_command'), 'pgbackrest') > 0
"""
# A drill that has not ended after six hours was killed.
_DRILLS = """
    SELECT (SELECT extract(epoch FROM max(began_at))::float8 FROM restore_drills WHERE outcome = 'passed') AS passed,
           (SELECT extract(epoch FROM began_at)::float8 FROM (
               SELECT * FROM restore_drills ORDER BY id DESC LIMIT 1
            ) AS last
            WHERE outcome = 'failed' OR outcome = 'running' AND began_at < now() - interval '6 hours') AS failed,
           (SELECT extract(epoch FROM min(made_at))::float8 FROM backup_runs WHERE verified_at IS NOT NULL) AS expected
"""
_GAUGES = (BACKUP_TIME, BACKUP_DURATION_SECONDS, BACKUP_SIZE_BYTES, BACKUP_RUN_TIME, RESTORE_DRILL_TIME)


class BackupMetrics:
    """Any number of processes may show them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def measure(self) -> None:
        """Updates the metrics.

        If no backup was ever begun, they show since when there should have been one. Without PostgreSQL, they do not
        change.
        """
        if reason := await failure_of(self._show):
            _log.warning("backups_not_measured", reason=reason)
            _clear()

    async def _show(self) -> None:
        async with self._database.transaction() as connection:
            row = await (await connection.execute(_NEWEST)).fetchone()
            drills = await (await connection.execute(_DRILLS)).fetchone()
            expected = None if row else await (await connection.execute(_EXPECTED_SINCE)).fetchone()
        # The outcome that the last run had before is no longer its outcome.
        _clear()
        if expected and expected["since"] is not None:
            BACKUP_RUN_TIME.labels(outcome="none").set(expected["since"])
        if drills:
            _show_drills(drills)
        if not row:
            return
        BACKUP_RUN_TIME.labels(outcome=row["outcome"]).set(row["began"])
        if row["made"] is None:
            return
        BACKUP_TIME.labels(state="verified").set(row["made"])
        BACKUP_DURATION_SECONDS.labels(part="backup").set(row["backup_seconds"])
        BACKUP_DURATION_SECONDS.labels(part="verification").set(row["verification_seconds"])
        BACKUP_SIZE_BYTES.labels(of="database").set(row["size_bytes"])
        BACKUP_SIZE_BYTES.labels(of="repository").set(row["stored_bytes"])


def _show_drills(row: DictRow) -> None:
    times = {"passed": row["passed"], "failed": row["failed"]}
    if row["passed"] is None:
        times["none"] = row["expected"]
    for outcome, time in times.items():
        if time is not None:
            RESTORE_DRILL_TIME.labels(outcome=outcome).set(time)


def _clear() -> None:
    for gauge in _GAUGES:
        gauge.clear()
