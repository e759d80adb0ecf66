"""Restores PostgreSQL's data folder from pgBackRest's repository: completely, or not at all (R9.3)."""

import os
import shutil
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg

from upschedule.operations.cluster_backup.draft import DraftServer, exchange
from upschedule.operations.cluster_backup.errors import NotVerified, RestoreRefused, StepFailed
from upschedule.operations.cluster_backup.objects.backup import ObjectBackup, Returned, needed_of
from upschedule.operations.cluster_backup.progress import reporting_size
from upschedule.operations.cluster_backup.records import Records
from upschedule.operations.cluster_backup.replay import LaterState, Replayed, read_later_state, replay
from upschedule.operations.cluster_backup.repository import Repository
from upschedule.operations.cluster_backup.scratch import ScratchOptions, check_structures, restored
from upschedule.operations.cluster_backup.target import LATEST, Known, RecoveryTarget, choose_target, target_of
from upschedule.operations.embedded.errors import ServerFailed
from upschedule.operations.table_sums import differences, read_sums

_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 3.0
#: The names of two folders next to the data folder: the restore in progress, and the previous data.
DRAFT, BEFORE = "{name}.restoring", "{name}.before-restore"


@dataclass(frozen=True, kw_only=True)
class RestoreOptions:
    """The options of a restore to `to`.

    `data` is PostgreSQL's data folder, `server` the host and port at which PostgreSQL listens when it runs. `replace`
    permits to replace existing data. With `revive_deleted`, the deletions that people made after `to` are not repeated,
    so that the data reappear. `objects` restores the files of documents; without it, files are not restored. `report`
    is called with a message for each step.
    """

    to: str
    data: Path
    server: tuple[str, int]
    database: str
    scratch: ScratchOptions
    objects: ObjectBackup | None
    replace: bool
    revive_deleted: bool
    report: Callable[[str], None]

    @property
    def draft(self) -> Path:
        return self.data.with_name(DRAFT.format(name=self.data.name))

    @property
    def before(self) -> Path:
        return self.data.with_name(BEFORE.format(name=self.data.name))


class RestoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a restore.

    `replayed` is None if no later deletions were repeated, `files` is None if no files of documents were restored, and
    `before` is the folder with the previous data.
    """

    backup: str
    to: str
    replayed: Replayed | None
    files: Returned | None
    before: str | None


@dataclass(frozen=True, kw_only=True)
class _Plan:
    known: Known
    target: RecoveryTarget
    later: LaterState | None


@dataclass(frozen=True, kw_only=True)
class _Built:
    replayed: Replayed | None
    files: Returned | None


def restore(repository: Repository, records: Records, options: RestoreOptions) -> RestoreReport:
    """Restores the database to `options.to`, and puts it in place. PostgreSQL must be stopped.

    After an error the data folder is unchanged. Raises ClusterBackupError.
    """
    _refuse_to_overwrite(options)
    known = [(each, records.get(each.label)) for each in repository.backups()]
    target = choose_target(options.to, known)
    options.report(f"Restoring from the backup {target.label}, up to {options.to}.")
    try:
        later = _later_state(repository, known, target, options)
        with _draft(options) as draft:
            built = _build(draft, repository, _Plan(known=known, target=target, later=later), options)
            _put_in_place(options)
    except psycopg.Error as error:
        raise StepFailed("Querying the restored server", str(error).strip()) from error
    except OSError as error:
        raise StepFailed("Writing the restored data", f"{error.filename or options.draft}: {error.strerror}") from error
    before = str(options.before) if options.before.exists() else None
    return RestoreReport(backup=target.label, to=options.to, replayed=built.replayed, files=built.files, before=before)


def _refuse_to_overwrite(options: RestoreOptions) -> None:
    host, port = options.server
    try:
        with socket.create_connection((host, port), timeout=_ANSWER_SECONDS):
            pass
    except OSError:
        pass
    else:
        raise RestoreRefused(
            f"PostgreSQL answers at {host}:{port}. Stop it first: `nomad job stop -namespace upschedule postgres`."
        )
    if not options.data.exists():
        return
    if not options.replace:
        raise RestoreRefused(
            f"{options.data} has a database. To replace it, use --replace (for the job: `-meta replace=yes`)."
        )
    if options.before.exists():
        raise RestoreRefused(
            f"{options.before} has the data from before an earlier restore. Move or remove that folder, then try again."
        )


def _later_state(
    repository: Repository, known: Known, target: RecoveryTarget, options: RestoreOptions
) -> LaterState | None:
    """What people deleted after the moment, from the latest archived state; None if it is not needed."""
    if target.kind == "default" or options.revive_deleted:
        return None
    options.report("Reading from the newest write-ahead log what people deleted after that moment …")
    try:
        with restored(choose_target(LATEST, known), repository, options.scratch) as newest:
            return read_later_state(newest.dsn(options.database))
    except psycopg.Error as error:
        raise RestoreRefused(
            f"What people deleted after that moment cannot be read: {str(error).strip()} "
            "With --revive-deleted the restore continues, and the deleted data reappear."
        ) from error


@contextmanager
def _draft(options: RestoreOptions) -> Generator[Path]:
    """Makes an empty folder on the disk of the data, and removes it at the end.

    If the restore is killed, the next one removes the folder.
    """
    shutil.rmtree(options.draft, ignore_errors=True)
    # As root: PostgreSQL's user must be able to reach the folders in it.
    options.draft.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
    try:
        yield options.draft
    finally:
        shutil.rmtree(options.draft, ignore_errors=True)


def _build(draft: Path, repository: Repository, plan: _Plan, options: RestoreOptions) -> _Built:
    server = DraftServer(draft, options.scratch.programs, repository.variables)
    data = draft / "data"
    data.mkdir(mode=0o700)
    with reporting_size(data, plan.target.size_bytes, options.report):
        repository.restore(plan.target, data, archives=True)
    options.report("Recovering the write-ahead log …")
    try:
        server.start(timeout_seconds=options.scratch.start_seconds)
        options.report("Checking every row and every index …")
        _check(server, plan, options)
        replayed = replay(server.dsn(options.database), plan.later) if plan.later else None
        # Before the data are in their place: a file without a row is removed later, a row never waits for its file.
        files = _bring_back_files(server.dsn(options.database), options)
    except ServerFailed as error:
        raise StepFailed("Starting the restored server", f"{error} {_EARLIER}") from error
    finally:
        server.stop()
    if not server.ended_in_order:
        raise StepFailed("Stopping the restored server", f"it did not shut down cleanly: {server.log} says why.")
    return _Built(replayed=replayed, files=files)


def _bring_back_files(dsn: str, options: RestoreOptions) -> Returned | None:
    if options.objects is None:
        return None
    needed = needed_of(dsn)
    options.report(f"Looking for the files of {len(needed)} documents …")
    return options.objects.bring_back(needed)


_EARLIER = "If --to is later than the last change that was archived, use `latest`."


def _check(server: DraftServer, plan: _Plan, options: RestoreOptions) -> None:
    """Checks all rows and indexes, and compares the tables with the record if the target is the backup itself.

    Raises NotVerified if something is damaged or differs.
    """
    problems: list[str] = []
    target = plan.target
    record = next((record for backup, record in plan.known if backup.label == target.label), None)
    if record and target == target_of(record):
        with psycopg.connect(server.dsn(options.database), connect_timeout=_CONNECT_SECONDS) as connection:
            problems += differences(record.reference.tables, read_sums(connection))
    if damage := check_structures(server, options.database, options.scratch):
        problems.append(damage)
    if problems:
        raise NotVerified(target.label, tuple(problems))


def _put_in_place(options: RestoreOptions) -> None:
    """Puts the data in place with one rename: before it nothing has changed, after it all is restored."""
    restored_data = options.draft / "data"
    restored_data.chmod(0o750)
    if options.data.exists():
        exchange(restored_data, options.data)
        restored_data.rename(options.before)
    else:
        restored_data.rename(options.data)
    options.report(f"Restored {options.data}.")
