"""`upschedule restore --to`: the cluster's PostgreSQL from its backups (docs/cluster-backup.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click
import structlog

from upschedule import logging
from upschedule.cli import cluster_options
from upschedule.cli.cluster_options import BackupPlaces
from upschedule.cli.failing import fail
from upschedule.operations.cluster_backup.errors import ClusterBackupError
from upschedule.operations.cluster_backup.extract import ExtractOptions, TableDifference, extract
from upschedule.operations.cluster_backup.objects.backup import Returned
from upschedule.operations.cluster_backup.restore import RestoreOptions, RestoreReport, restore
from upschedule.operations.cluster_backup.scratch import ScratchOptions
from upschedule.operations.local.progress import TimedProgress

_POSTGRES_PORT = 5432


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The options of the command.

    With `account` or `table`, the command changes nothing in the database: it writes the rows of that time to `output`
    as SQL. With `objects_only`, it restores only the files of documents.
    """

    to: str
    replace: bool
    revive_deleted: bool
    without_objects: bool
    objects_only: bool
    account: str | None
    table: str | None
    output: Path | None
    postgres_programs: Path
    scratch: Path
    program_seconds: float
    keep_hours: float


def restore_cluster(choice: Choice) -> None:
    """Prints the result. After an error, ends the process with the exit code of that error."""
    logging.configure(level="info", process="restore")
    found = cluster_options.places()
    try:
        if choice.objects_only:
            lines = _files(choice, found)
        else:
            lines = _beside(choice, found) if choice.output else _all(choice, found)
    except ClusterBackupError as error:
        structlog.get_logger(__name__).error("restore_failed", reason=str(error), exit_code=error.exit_code)
        fail(error.exit_code, f"{error} Nothing was changed.")
    for line in lines:
        click.echo(line)


def _all(choice: Choice, found: BackupPlaces) -> Sequence[str]:
    parts = urlsplit(cluster_options.database_url())
    options = RestoreOptions(
        to=choice.to,
        data=Path(found.variable("PGBACKREST_PG1_PATH")),
        server=(parts.hostname or "localhost", parts.port or _POSTGRES_PORT),
        database=cluster_options.DATABASE,
        scratch=_scratch(choice),
        objects=None if choice.without_objects else cluster_options.object_backup(found, choice.keep_hours),
        replace=choice.replace,
        revive_deleted=choice.revive_deleted,
        report=_progress().report,
    )
    return lines_of(restore(found.repository(choice.program_seconds), found.records(), options))


def _beside(choice: Choice, found: BackupPlaces) -> Sequence[str]:
    assert choice.output  # noqa: S101 - `restore_cluster` calls this function only with `output`
    options = ExtractOptions(
        to=choice.to,
        account=choice.account,
        table=choice.table,
        output=choice.output,
        database=cluster_options.DATABASE,
        live_dsn=cluster_options.database_url(),
        scratch=_scratch(choice),
        report=_progress().report,
    )
    tables = extract(found.repository(choice.program_seconds), found.records(), options)
    return [*differences_of(tables), f"{choice.output} inserts what is missing now."]


def _files(choice: Choice, found: BackupPlaces) -> Sequence[str]:
    return files_of(cluster_options.object_backup(found, choice.keep_hours).bring_back_needed())


def _scratch(choice: Choice) -> ScratchOptions:
    return cluster_options.scratch_options(choice.postgres_programs, choice.scratch, choice.program_seconds)


def _progress() -> TimedProgress:
    return TimedProgress(lambda line: click.echo(line, err=True))


def lines_of(report: RestoreReport) -> list[str]:
    """The result of the restore, and what the operator has to do next."""
    lines = [f"PostgreSQL's data are restored to {report.to}, from the backup {report.backup}."]
    if report.replayed:
        lines.append(f"Deleted or ended after that time, and now deleted or ended again: {report.replayed}.")
    lines += files_of(report.files)
    if report.before:
        lines.append(f"The data from before are in {report.before}: remove this folder when they are not needed.")
    return [*lines, "Now start PostgreSQL, then everything else: docs/cluster-backup.md."]


def files_of(files: Returned | None) -> list[str]:
    """What happened to the files of documents that may still be read."""
    if files is None:
        return ["Nothing was done about files of documents."]
    lines = [f"Files of documents that may still be read: {files}."]
    if files.missing:
        lines.append("A document whose file is missing fails when it is read, and asks for the file again.")
    return lines


def differences_of(tables: Sequence[TableDifference]) -> list[str]:
    """One line for each table."""
    return [
        f"{each.table}: {each.then} rows then, {each.lost} of them missing or changed now, {each.new} new or changed"
        for each in tables
    ]
