"""`upschedule prepare`: backs up and migrates the database before a release starts."""

import os
from pathlib import Path
from typing import NoReturn

import click
import msgspec
import psycopg
import structlog

import upschedule
from upschedule import logging
from upschedule.cli import migration_options
from upschedule.cli.failing import fail
from upschedule.operations.migration.errors import MigrationError
from upschedule.operations.migration.migrate import Timing
from upschedule.operations.prepare.backup import BackupOptions
from upschedule.operations.prepare.errors import (
    BackupFailed,
    NoFreshBackup,
    NotMarked,
    PrepareError,
    RestorePointFailed,
    TurnNotTaken,
)
from upschedule.operations.prepare.prepare import PrepareOptions, prepare
from upschedule.operations.prepare.release_folder import UnpackedRelease, read_release
from upschedule.operations.prepare.restore_point import RestorePointOptions
from upschedule.operations.prepare.wait import wait_until_prepared
from upschedule.operations.privileges.errors import RoleMissing
from upschedule.settings.servers import DEFAULT_REGION
from upschedule.stores.bucket import Bucket, BucketAddress

_UNREACHABLE, _REFUSED, _NO_BACKUP, _TOO_LATE = 3, 4, 5, 6
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_NEEDED = ("UPSCHEDULE_POSTGRES_OWNER_URL", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")

_CODES = {
    (psycopg.OperationalError,): _UNREACHABLE,
    (BackupFailed, NoFreshBackup, RestorePointFailed): _NO_BACKUP,
    (TurnNotTaken, NotMarked): _TOO_LATE,
}


@click.command(name="prepare")
@click.option(
    "--release",
    "folder",
    type=_FOLDER,
    default=Path(upschedule.__file__).parents[2],
    show_default="the one that this command is part of",
    help="An unpacked archive of sources.",
)
@click.option(
    "--wait", type=click.FloatRange(min=0), metavar="SECONDS", help="Only wait until another task has prepared it."
)
@click.option(
    "--running",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the versions that run now; without it nothing is removed from the schema.",
)
@click.option("--postgres-programs", type=_FOLDER, show_default="on PATH", help="Folder of pg_dump and pg_restore.")
@click.option("--application-role", default="upschedule_app", show_default=True, help="The role that gets the grants.")
@click.option("--bucket", default="backups", show_default=True, help="Where the dump goes, without a deployment.")
@click.option(
    "--deployment",
    envvar="UPSCHEDULE_PREPARE_DEPLOYMENT",
    help="Names release, settings and secrets. With it a restore point of the stack's backups takes the dump's place.",
)
@click.option(
    "--running-deployments",
    envvar="UPSCHEDULE_PREPARE_RUNNING_DEPLOYMENTS",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the deployments that run now: another instance of one of them needs no restore point.",
)
@click.option(
    "--backup-hours",
    envvar="UPSCHEDULE_PREPARE_BACKUP_HOURS",
    type=click.FloatRange(0, min_open=True),
    default=26.0,
    show_default=True,
    help="With --deployment: refuse where no verified backup is younger.",
)
@click.option(
    "--backup-wait-seconds",
    envvar="UPSCHEDULE_PREPARE_BACKUP_WAIT_SECONDS",
    type=click.FloatRange(min=0),
    default=600.0,
    show_default=True,
    help="With --deployment: longest wait for a backup that is being made.",
)
@click.option(
    "--archive-seconds",
    envvar="UPSCHEDULE_PREPARE_ARCHIVE_SECONDS",
    type=click.FloatRange(0, min_open=True),
    default=120.0,
    show_default=True,
    help="With --deployment: longest wait until PostgreSQL has archived the restore point.",
)
@click.option("--turn-seconds", default=600.0, show_default=True, help="Longest wait for another that prepares.")
@click.option("--drain-seconds", default=60.0, show_default=True, help="Before anything is removed from the schema.")
@migration_options.blocking_seconds
def command(
    *,
    folder: Path,
    wait: float | None,
    running: Path | None,
    postgres_programs: Path | None,
    application_role: str,
    bucket: str,
    deployment: str | None,
    running_deployments: Path | None,
    backup_hours: float,
    backup_wait_seconds: float,
    archive_seconds: float,
    turn_seconds: float,
    drain_seconds: float,
    blocking_seconds: float,
) -> None:
    """Make a restore point, apply the missing migrations and mark this release prepared. Concurrent calls do it once.

    Without a deployment the database is dumped instead.

    Needs UPSCHEDULE_POSTGRES_OWNER_URL and UPSCHEDULE_POSTGRES_BACKUP_URL (not through a pooler), AWS_ENDPOINT_URL,
    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; AWS_REGION is us-east-1 by default. `--wait` needs
    UPSCHEDULE_POSTGRES_URL alone. Exit codes: 3 the database cannot be reached, 4 the release or its migrations are
    refused, 5 the backup failed or none is recent, 6 others took too long.
    """
    logging.configure(level="info", process="prepare")
    try:
        release = read_release(folder)
        if wait is not None:
            url = _database("UPSCHEDULE_POSTGRES_URL")
            wait_until_prepared(url, release, timeout_seconds=wait, timing=Timing())
            structlog.get_logger(__name__).info("release_is_prepared", release=release.version)
            return
        owner_url, backup_url = map(_database, ("UPSCHEDULE_POSTGRES_OWNER_URL", "UPSCHEDULE_POSTGRES_BACKUP_URL"))
        point = RestorePointOptions(
            dsn=backup_url,
            deployment=deployment or "",
            running=running_deployments,
            backup_hours=backup_hours,
            backup_wait_seconds=backup_wait_seconds,
            archive_seconds=archive_seconds,
        )
        options = PrepareOptions(
            owner_url=owner_url,
            backup_url=backup_url,
            application_role=application_role,
            backup=BackupOptions(store=_store(bucket), programs=postgres_programs),
            restore_point=point if deployment else None,
            running=running,
            turn_seconds=turn_seconds,
            drain_seconds=drain_seconds,
            blocking_seconds=blocking_seconds,
        )
        _prepare(release, options)
    except (PrepareError, MigrationError, RoleMissing, psycopg.OperationalError) as error:
        _fail(error)


def _prepare(release: UnpackedRelease, options: PrepareOptions) -> None:
    report = prepare(release, options, Timing())
    structlog.get_logger(__name__).info("release_prepared", **msgspec.to_builtins(report))


def _store(bucket: str) -> Bucket:
    endpoint_url, access_key, secret_key = map(_environment, _NEEDED[1:])
    region = os.environ.get("AWS_REGION") or DEFAULT_REGION
    return Bucket(
        BucketAddress.from_url(endpoint_url, access_key=access_key, secret_key=secret_key, bucket=bucket, region=region)
    )


def _environment(name: str) -> str:
    if value := os.environ.get(name):
        return value
    raise click.UsageError(f"{name} is not set.")


def _database(name: str) -> str:
    return migration_options.database_url(name, _environment(name))


def _fail(error: Exception) -> NoReturn:
    code = next((code for kinds, code in _CODES.items() if isinstance(error, kinds)), _REFUSED)
    reason = str(error).strip()
    if code == _UNREACHABLE:
        reason = f"The database cannot be reached: {reason}"
    structlog.get_logger(__name__).error("release_not_prepared", reason=reason, exit_code=code)
    fail(code, f"The release was not prepared. {reason} Nothing runs differently.")
