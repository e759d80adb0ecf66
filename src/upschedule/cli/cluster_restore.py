"""`upschedule restore --to`: the cluster's PostgreSQL from its backups (docs/cluster-backup.md)."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click
import structlog

from upschedule import logging
from upschedule.cli import migration_options
from upschedule.cli.failing import fail
from upschedule.operations.cluster_backup.errors import ClusterBackupError
from upschedule.operations.cluster_backup.extract import ExtractOptions, TableDifference, extract
from upschedule.operations.cluster_backup.records import Records
from upschedule.operations.cluster_backup.repository import Repository, bucket_address, repository_variables
from upschedule.operations.cluster_backup.restore import RestoreOptions, RestoreReport, restore
from upschedule.operations.cluster_backup.scratch import ScratchOptions
from upschedule.operations.local.progress import TimedProgress
from upschedule.stores.bucket import Bucket

_DATABASE_URL = "UPSCHEDULE_POSTGRES_BACKUP_URL"
_DATABASE = "upschedule"
_POSTGRES_PORT = 5432


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The options of the command. With `account` or `table` nothing is replaced: `output` gets what there was."""

    to: str
    replace: bool
    revive_deleted: bool
    account: str | None
    table: str | None
    output: Path | None
    postgres_programs: Path
    scratch: Path
    program_seconds: float


def restore_cluster(choice: Choice) -> None:
    """Ends the process with an exit code after an error."""
    logging.configure(level="info", process="restore")
    variables = repository_variables(os.environ)
    try:
        bucket = Bucket(bucket_address(variables))
        data = Path(variables["PGBACKREST_PG1_PATH"])
    except KeyError as error:
        raise click.UsageError(f"{error.args[0]} is not set: docs/cluster-backup.md lists what is needed.") from None
    repository = Repository(variables=variables, program_seconds=choice.program_seconds)
    try:
        lines = (
            _beside(choice, repository, Records(bucket))
            if choice.output
            else _all(choice, repository, Records(bucket), data)
        )
    except ClusterBackupError as error:
        structlog.get_logger(__name__).error("restore_failed", reason=str(error), exit_code=error.exit_code)
        fail(error.exit_code, f"{error} Nothing was changed.")
    for line in lines:
        click.echo(line)


def _all(choice: Choice, repository: Repository, records: Records, data: Path) -> Sequence[str]:
    parts = urlsplit(_database_url())
    options = RestoreOptions(
        to=choice.to,
        data=data,
        server=(parts.hostname or "localhost", parts.port or _POSTGRES_PORT),
        database=_DATABASE,
        scratch=_scratch(choice),
        replace=choice.replace,
        revive_deleted=choice.revive_deleted,
        report=_progress().report,
    )
    return lines_of(restore(repository, records, options))


def _beside(choice: Choice, repository: Repository, records: Records) -> Sequence[str]:
    assert choice.output  # noqa: S101 - the caller's choice
    options = ExtractOptions(
        to=choice.to,
        account=choice.account,
        table=choice.table,
        output=choice.output,
        database=_DATABASE,
        live_dsn=_database_url(),
        scratch=_scratch(choice),
        report=_progress().report,
    )
    return [*differences_of(extract(repository, records, options)), f"{choice.output} inserts what is missing now."]


def _scratch(choice: Choice) -> ScratchOptions:
    return ScratchOptions(
        programs=choice.postgres_programs,
        folder=choice.scratch,
        start_seconds=choice.program_seconds,
        check_seconds=choice.program_seconds,
    )


def _progress() -> TimedProgress:
    return TimedProgress(lambda line: click.echo(line, err=True))


def lines_of(report: RestoreReport) -> list[str]:
    """What holds now, and what follows."""
    lines = [f"PostgreSQL's data are restored to {report.to}, from the backup {report.backup}."]
    if report.replayed:
        lines.append(f"Deleted or ended since, and again now: {report.replayed}.")
    if report.before:
        lines.append(f"The data from before are in {report.before}: remove this folder when they are not needed.")
    return [*lines, "Now start PostgreSQL, then everything else: docs/cluster-backup.md."]


def differences_of(tables: Sequence[TableDifference]) -> list[str]:
    """One line for each table."""
    return [
        f"{each.table}: {each.then} rows then, {each.lost} of them missing or changed now, {each.new} new or changed"
        for each in tables
    ]


def _database_url() -> str:
    if not (url := os.environ.get(_DATABASE_URL)):
        raise click.UsageError(f"{_DATABASE_URL} is not set.")
    return migration_options.database_url(_DATABASE_URL, url)
