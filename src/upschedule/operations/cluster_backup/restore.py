"""Makes PostgreSQL's data folder from the repository: all of it, or nothing (R9.3)."""

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
#: Beside the data folder: what is being restored, and what was there before.
DRAFT, BEFORE = "{name}.restoring", "{name}.before-restore"


@dataclass(frozen=True, kw_only=True)
class RestoreOptions:
    """`data` is PostgreSQL's data folder, and `server` where it answers while it runs.

    `replace` permits to replace what is in the folder, and `revive_deleted` brings back what people deleted after the
    moment. `objects` bring back the files of documents; without them nothing is done about files. `report` gets a
    sentence for each step.
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
    """`replayed` is None where no later deletions are known, `files` where nothing was done about files of documents.

    `before` is the folder of the data from before.
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
    """The server must be stopped. After an error the data folder is as it was. Raises ClusterBackupError."""
    _refuse_to_overwrite(options)
    known = [(each, records.get(each.label)) for each in repository.backups()]
    target = choose_target(options.to, known)
    options.report(f"Restoring from the backup {target.label}, to {options.to}.")
    try:
        later = _later_state(repository, known, target, options)
        with _draft(options) as draft:
            built = _build(draft, repository, _Plan(known=known, target=target, later=later), options)
            _put_in_place(options)
    except psycopg.Error as error:
        raise StepFailed("Asking the restored server", str(error).strip()) from error
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
        raise RestoreRefused(f"{options.data} holds a database, which would be replaced. Say --replace if it is to be.")
    if options.before.exists():
        raise RestoreRefused(
            f"{options.before} has the data from before an earlier restore. Remove it if they are not needed."
        )


def _later_state(
    repository: Repository, known: Known, target: RecoveryTarget, options: RestoreOptions
) -> LaterState | None:
    """What was deleted after the moment, from the end of the archive."""
    if target.kind == "default" or options.revive_deleted:
        return None
    options.report("Looking up in the newest write-ahead log what people deleted after that moment …")
    try:
        with restored(choose_target(LATEST, known), repository, options.scratch) as newest:
            return read_later_state(newest.dsn(options.database))
    except psycopg.Error as error:
        raise RestoreRefused(
            f"What people deleted after that moment cannot be read: {str(error).strip()} "
            "With --revive-deleted it is restored, and comes back."
        ) from error


@contextmanager
def _draft(options: RestoreOptions) -> Generator[Path]:
    """An empty folder on the disk of the data; a restore that was killed leaves it, and the next removes it."""
    shutil.rmtree(options.draft, ignore_errors=True)
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
        raise StepFailed("Stopping the restored server", f"it did not end in order: {server.log} says why.")
    return _Built(replayed=replayed, files=files)


def _bring_back_files(dsn: str, options: RestoreOptions) -> Returned | None:
    if options.objects is None:
        return None
    needed = needed_of(dsn)
    options.report(f"Looking for the files of {len(needed)} documents …")
    return options.objects.bring_back(needed)


_EARLIER = "A time after the last change that was archived cannot be reached: say `latest`."


def _check(server: DraftServer, plan: _Plan, options: RestoreOptions) -> None:
    """Raises NotVerified."""
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
    """One rename decides: before it nothing has changed, and after it everything is restored."""
    restored_data = options.draft / "data"
    restored_data.chmod(0o750)
    if options.data.exists():
        exchange(restored_data, options.data)
        restored_data.rename(options.before)
    else:
        restored_data.rename(options.data)
    options.report(f"{options.data} is restored.")
