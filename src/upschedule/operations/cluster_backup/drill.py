"""Restores everything that was archived into a scratch server, beside the live one, and checks it (R9.2, R9.3)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psycopg
import structlog

from upschedule.operations.cluster_backup.archive import await_archived
from upschedule.operations.cluster_backup.errors import ClusterBackupError, ExitCode
from upschedule.operations.cluster_backup.objects.backup import ObjectBackup, needed_of
from upschedule.operations.cluster_backup.records import Records
from upschedule.operations.cluster_backup.repository import Repository
from upschedule.operations.cluster_backup.scratch import ScratchOptions, check_structures, restored
from upschedule.operations.cluster_backup.state import States
from upschedule.operations.cluster_backup.target import LATEST, choose_target
from upschedule.operations.migration.migrate import Timing

_log = structlog.get_logger(__name__)
_CONNECT_SECONDS = 10
_REASON_CHARACTERS_MAX = 1000
_BEGIN = "INSERT INTO restore_drills (began_at) VALUES (%s) RETURNING id"
_END = "UPDATE restore_drills SET ended_at = %(at)s, outcome = %(outcome)s, reason = %(reason)s WHERE id = %(id)s"
_PASSED = "SELECT max(began_at) FROM restore_drills WHERE outcome = 'passed'"
_SWITCH = "SELECT pg_walfile_name(pg_switch_wal())"
_KNOWN = "SELECT EXISTS (SELECT FROM restore_drills WHERE id = %s)"


@dataclass(frozen=True, kw_only=True)
class Drill:
    """`dsn` is the backup role's on the live database. `archive_seconds` bounds the wait for the last segment."""

    dsn: str = field(repr=False)
    database: str
    repository: Repository
    records: Records
    objects: ObjectBackup
    states: States
    scratch: ScratchOptions
    archive_seconds: float
    timing: Timing
    now: Callable[[], datetime]

    def is_due(self, days: float) -> bool:
        """Whether none that passed is so young. False where that cannot be asked: the next run asks again."""
        try:
            with self._connected() as connection:
                row = connection.execute(_PASSED).fetchone()
        except psycopg.Error as error:
            _log.warning("restore_drill_not_recorded", reason=str(error).strip())
            return False
        return row is None or row[0] is None or row[0] < self.now() - timedelta(days=days)

    def run(self) -> tuple[str, ...]:
        """What is wrong with what was restored; it is recorded. Raises psycopg.Error where that is impossible."""
        with self._connected() as connection:
            row = connection.execute(_BEGIN, [self.now()]).fetchone()
            number: int = row[0] if row else 0
        try:
            problems = self._problems(number)
        except (ClusterBackupError, psycopg.Error, OSError) as error:
            problems = (str(error).strip(),)
        reason = "; ".join(problems)[:_REASON_CHARACTERS_MAX] or None
        outcome = "failed" if problems else "passed"
        with self._connected() as connection:
            connection.execute(_END, {"at": self.now(), "outcome": outcome, "reason": reason, "id": number})
        (_log.error if problems else _log.info)("restore_drill_ended", outcome=outcome, reason=reason)
        return problems

    def _problems(self, number: int) -> tuple[str, ...]:
        with self._connected() as connection:
            row = connection.execute(_SWITCH).fetchone()
            await_archived(connection, row[0] if row else "", seconds_max=self.archive_seconds, timing=self.timing)
        known = [(each, self.records.get(each.label)) for each in self.repository.backups()]
        with restored(choose_target(LATEST, known), self.repository, self.scratch) as server:
            dsn = server.dsn(self.database)
            with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
                newest = connection.execute(_KNOWN, [number]).fetchone() == (True,)
            found = [] if newest else ["the last change before the drill is missing"]
            if damage := check_structures(server, self.database, self.scratch):
                found.append(damage)
            found += self.objects.problems(needed_of(dsn))
        return (*found, *self._state_problems())

    def _state_problems(self) -> list[str]:
        """The problems of the newest saved state of each name. Operators choose which names there are."""
        problems: list[str] = []
        for each in {known.name: known for known in self.states.list()}.values():
            try:
                self.states.check(each)
            except ClusterBackupError as error:
                problems.append(str(error))
        return problems

    def _connected(self) -> psycopg.Connection:
        return psycopg.connect(self.dsn, autocommit=True, connect_timeout=_CONNECT_SECONDS)


class DrillFailed(ClusterBackupError):
    """The archive cannot be restored, or its contents are wrong. The last backup stays as verified as it was."""

    exit_code = ExitCode.DRILL_FAILED

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(f"The drill failed: {'; '.join(problems)}")
