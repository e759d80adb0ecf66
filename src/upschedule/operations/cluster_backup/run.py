"""Makes a backup, proves it, and only then removes what is too old."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
import structlog

from upschedule.operations.cluster_backup.drill import Drill, DrillFailed
from upschedule.operations.cluster_backup.errors import ClusterBackupError, NotVerified, StepFailed, UnknownBackup
from upschedule.operations.cluster_backup.model import BackupSet, Record
from upschedule.operations.cluster_backup.objects.backup import ObjectBackup
from upschedule.operations.cluster_backup.records import Records
from upschedule.operations.cluster_backup.reference import ReferenceOptions, take_reference
from upschedule.operations.cluster_backup.repository import Repository
from upschedule.operations.cluster_backup.retention import newest_to_keep
from upschedule.operations.cluster_backup.runs import Runs
from upschedule.operations.cluster_backup.scratch import ScratchOptions
from upschedule.operations.cluster_backup.state import States
from upschedule.operations.cluster_backup.verification import VerifyOptions, verify
from upschedule.operations.migration.migrate import Timing

_log = structlog.get_logger(__name__)


def _now() -> datetime:
    return datetime.now(tz=UTC)


@dataclass(frozen=True, kw_only=True)
class Backups:
    """The backups of one cluster. Every method raises ClusterBackupError.

    `keep_days` is how far back every second can be restored. What was deleted or replaced in the repository stays
    hidden there for `hidden_days`, in which an administrator can bring it back. A backup is followed by the `drill`, if
    none has passed for `drill_days`. A drill that fails is recorded and raises DrillFailed; the backup stays verified.
    """

    repository: Repository
    records: Records
    runs: Runs
    objects: ObjectBackup
    reference: ReferenceOptions
    scratch: ScratchOptions
    database: str
    keep_days: float = 7.0
    hidden_days: float = 9.0
    drill: Drill | None = None
    drill_days: float = 7.0
    timing: Timing = field(default_factory=Timing)
    now: Callable[[], datetime] = _now

    def back_up(self) -> Record:
        """Raises NotVerified for a backup that was made and does not count; nothing older is removed then.

        Raises DrillFailed if the backup is verified, and the drill after it failed.
        """
        run = self.runs.begin(self.now())
        try:
            with self.runs.kept_alive(run):
                record = self._back_up(run)
        except ClusterBackupError as error:
            self.runs.end(run, self.now(), error)
            raise
        self.runs.end(run, self.now())
        if self.drill and self.drill.is_due(self.drill_days):
            self._run_drill(self.drill)
        return record

    def _run_drill(self, drill: Drill) -> None:
        try:
            problems = drill.run()
        except psycopg.Error as error:
            raise DrillFailed((f"it could not be recorded: {str(error).strip()}",)) from error
        if problems:
            raise DrillFailed(problems)

    def _back_up(self, run: int | None) -> Record:
        try:
            self.repository.create(self.reference.dsn)
            backup = self.repository.back_up(self.reference.dsn)
            _log.info("backup_made", label=backup.label, size_bytes=backup.size_bytes, stored_bytes=backup.stored_bytes)
            self.runs.made(run, backup)
            reference = take_reference(f"backup-{backup.label}", self.reference, self.timing, self.now)
        except psycopg.Error as error:
            raise StepFailed("Asking PostgreSQL", str(error).strip()) from error
        self.records.put(Record(backup=backup, reference=reference))
        self.records.renew_locks(self.repository.stanza)
        # After the contents were recorded, so that every file that they need has its copy.
        copied = self.objects.copy()
        _log.info("objects_copied", copied=copied.copied, removed=copied.removed, lost=copied.lost)
        record = self.verify(backup.label)
        self.remove_old()
        return record

    def make_drill(self, states: States) -> Drill:
        """One of the same stores and limits."""
        return Drill(
            dsn=self.reference.dsn,
            database=self.database,
            repository=self.repository,
            records=self.records,
            objects=self.objects,
            states=states,
            scratch=self.scratch,
            archive_seconds=self.reference.archive_seconds,
            timing=self.timing,
            now=self.now,
        )

    def verify(self, label: str) -> Record:
        """Restores the backup into a scratch server and records how that ended. Raises NotVerified, UnknownBackup."""
        known = self.show(label)
        options = VerifyOptions(scratch=self.scratch, objects=self.objects, database=self.database, now=self.now)
        verification = verify(known, self.repository, options)
        record = Record(backup=known.backup, reference=known.reference, verification=verification)
        self.records.put(record)
        self.runs.verified(label, verification)
        if verification.problems:
            raise NotVerified(label, verification.problems)
        _log.info("backup_verified", label=label, seconds=round(verification.seconds, 1))
        return record

    def show(self, label: str) -> Record:
        """The record of a backup that is in the repository."""
        if label not in {each.label for each in self.repository.backups()}:
            raise UnknownBackup(label)
        if (record := self.records.get(label)) is None:
            raise StepFailed("Reading the record", f"the backup {label} was interrupted before it was recorded.")
        return record

    def list(self) -> Sequence[tuple[BackupSet, Record | None]]:
        """The oldest first."""
        return [(each, self.records.get(each.label)) for each in self.repository.backups()]

    def remove_old(self) -> None:
        """Removes what no second of the last `keep_days` needs, and what has been hidden for long enough."""
        known = self.list()
        verified = {backup.label for backup, record in known if record and record.verified}
        kept = newest_to_keep([backup for backup, _ in known], verified, self.now(), self.keep_days)
        if kept < len(known):
            self.repository.keep(kept)
            _log.info("backups_removed", count=len(known) - kept, kept=kept)
        if removed := self.records.remove_hidden(self.now() - timedelta(days=self.hidden_days)):
            _log.info("hidden_versions_removed", count=removed)
