"""The cluster's commands of `upschedule backup`: `now`, `list`, `verify` and `show` (docs/cluster-backup.md)."""

import os
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click
import msgspec
import structlog

from upschedule import logging
from upschedule.cli import migration_options
from upschedule.cli.failing import fail
from upschedule.operations.cluster_backup.errors import ClusterBackupError
from upschedule.operations.cluster_backup.model import BackupSet, Record
from upschedule.operations.cluster_backup.records import Records
from upschedule.operations.cluster_backup.reference import ReferenceOptions
from upschedule.operations.cluster_backup.repository import Repository, bucket_address, repository_variables
from upschedule.operations.cluster_backup.run import Backups
from upschedule.operations.cluster_backup.runs import Runs
from upschedule.operations.cluster_backup.scratch import ScratchOptions
from upschedule.stores.bucket import Bucket

P = ParamSpec("P")
_DATABASE_URL = "UPSCHEDULE_POSTGRES_BACKUP_URL"
_MEGABYTE = 1e6
_POSITIVE = click.FloatRange(0, min_open=True)


def _options(run: Callable[P, None]) -> Callable[P, None]:
    """What all commands share; errors become exit codes."""

    @click.option(
        "--postgres-programs",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=Path("/usr/lib/postgresql/15/bin"),
        show_default=True,
        help="Folder of postgres and pg_amcheck, of the server's version.",
    )
    @click.option(
        "--scratch",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("/tmp/upschedule-restored"),  # noqa: S108 - what is restored there is in a folder of its own
        show_default=True,
        help="Folder with room for the whole database, for verifying.",
    )
    @click.option(
        "--program-seconds", type=_POSITIVE, default=3600.0, show_default=True, help="Longest run of one program."
    )
    @click.option(
        "--keep-days",
        type=_POSITIVE,
        default=7.0,
        show_default=True,
        help="How far back every second can be restored.",
    )
    @click.option(
        "--hidden-days",
        type=_POSITIVE,
        default=9.0,
        show_default=True,
        help="How long an administrator can bring back what was deleted from the repository.",
    )
    @click.option(
        "--quiet-seconds",
        type=_POSITIVE,
        default=60.0,
        show_default=True,
        help="Longest search for a moment without open writers.",
    )
    @click.option(
        "--archive-seconds",
        type=_POSITIVE,
        default=120.0,
        show_default=True,
        help="Longest wait until PostgreSQL has archived the restore point.",
    )
    @wraps(run)
    def decorated(*arguments: P.args, **options: P.kwargs) -> None:
        logging.configure(level="info", process="backup")
        try:
            run(*arguments, **options)
        except ClusterBackupError as error:
            structlog.get_logger(__name__).error("backup_failed", reason=str(error), exit_code=error.exit_code)
            fail(error.exit_code, error)

    return decorated


@click.command()
@_options
def now(**options: Any) -> None:
    """Back up the cluster's PostgreSQL, restore the backup into a scratch server, compare, and remove what is too old.

    Exit codes: 3 no backup was made, 9 one was made and does not count.
    """
    _backups(**options).back_up()


@click.command(name="list")
@_options
def list_(**options: Any) -> None:
    """List the cluster's backups, the oldest first. Exit code 3: the repository cannot be read."""
    for line in lines_of(_backups(**options).list()):
        click.echo(line)


@click.command()
@click.argument("label")
@_options
def verify(label: str, **options: Any) -> None:
    """Restore a backup into a scratch server and compare it again.

    Exit codes: 3 it could not be tried, 4 there is no such backup, 9 it does not count.
    """
    _backups(**options).verify(label)


@click.command()
@click.argument("label")
@_options
def show(label: str, **options: Any) -> None:
    """Print the record of a backup as JSON. Exit codes: 3 it cannot be read, 4 there is no such backup."""
    record = _backups(**options).show(label)
    click.echo(msgspec.json.format(msgspec.json.encode(record)).decode())


#: Of the group `backup`.
COMMANDS = (now, list_, verify, show)


def _backups(
    *,
    postgres_programs: Path,
    scratch: Path,
    program_seconds: float,
    keep_days: float,
    hidden_days: float,
    quiet_seconds: float,
    archive_seconds: float,
) -> Backups:
    variables = repository_variables(os.environ)
    try:
        bucket = Bucket(bucket_address(variables))
    except KeyError as error:
        raise click.UsageError(f"{error.args[0]} is not set: docs/cluster-backup.md lists what is needed.") from None
    if not (url := os.environ.get(_DATABASE_URL)):
        raise click.UsageError(f"{_DATABASE_URL} is not set.")
    dsn = migration_options.database_url(_DATABASE_URL, url)
    return Backups(
        repository=Repository(variables=variables, program_seconds=program_seconds),
        records=Records(bucket),
        runs=Runs(dsn=dsn),
        reference=ReferenceOptions(dsn=dsn, quiet_seconds=quiet_seconds, archive_seconds=archive_seconds),
        scratch=ScratchOptions(
            programs=postgres_programs, folder=scratch, start_seconds=program_seconds, check_seconds=program_seconds
        ),
        database="upschedule",
        keep_days=keep_days,
        hidden_days=hidden_days,
    )


def lines_of(known: Iterable[tuple[BackupSet, Record | None]]) -> Iterable[str]:
    """One for each backup."""
    for backup, record in known:
        state = "interrupted"
        if record:
            state = "verified" if record.verified else "failed" if record.verification else "not verified"
        yield (
            f"{backup.label}  {backup.finished_at:%Y-%m-%d %H:%M:%S} UTC  {backup.size_bytes / _MEGABYTE:.1f} MB  "
            f"{backup.stored_bytes / _MEGABYTE:.1f} MB stored  {state}"
        )
