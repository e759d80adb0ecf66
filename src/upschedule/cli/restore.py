"""`upschedule restore`: `file` for one machine, `--to` for the cluster (decision 36)."""

import datetime as dt
from pathlib import Path
from typing import Any

import click

from upschedule.cli import backup_options, cluster_options, cluster_restore
from upschedule.cli.failing import fail
from upschedule.operations.backup_file.building import Deletions
from upschedule.operations.backup_file.context import BackupContext, BackupLimits
from upschedule.operations.backup_file.errors import ExitCode
from upschedule.operations.backup_file.keys import read_key
from upschedule.operations.backup_file.restoring import RestoreOptions, restore_backup
from upschedule.operations.cluster_backup.errors import ClusterBackupError
from upschedule.operations.cluster_backup.target import LATEST
from upschedule.operations.local.replacement import REPLACED
from upschedule.operations.migration.files import read_migrations
from upschedule.settings import UploadSettings


@click.group(name="restore", invoke_without_command=True)
@click.option("--to", metavar="TIME|BACKUP|POINT|latest", help="Restore the cluster's PostgreSQL to this moment.")
@click.option(
    "--replace",
    is_flag=True,
    envvar="UPSCHEDULE_RESTORE_REPLACE",
    help="With --to: replace the database that is there.",
)
@click.option(
    "--revive-deleted",
    is_flag=True,
    envvar="UPSCHEDULE_RESTORE_REVIVE_DELETED",
    help="With --to: what people deleted after that moment comes back.",
)
@click.option(
    "--without-objects",
    is_flag=True,
    envvar="UPSCHEDULE_RESTORE_WITHOUT_OBJECTS",
    help="With --to: do nothing about the files of documents, for example while the object store is away.",
)
@click.option(
    "--objects-only",
    is_flag=True,
    envvar="UPSCHEDULE_RESTORE_OBJECTS_ONLY",
    help="With --to latest: only bring back the files that the running database needs and the object store lacks.",
)
@cluster_options.postgres_programs
@cluster_options.scratch
@cluster_options.program_seconds
@cluster_options.keep_hours
@click.option(
    "--account",
    envvar="UPSCHEDULE_RESTORE_ACCOUNT",
    metavar="ID|ADDRESS",
    help="With --to: only what this account had, into --output, while PostgreSQL goes on.",
)
@click.option(
    "--table",
    envvar="UPSCHEDULE_RESTORE_TABLE",
    metavar="NAME",
    help="With --to: only this table, into --output, while PostgreSQL goes on.",
)
@click.option(
    "--output",
    envvar="UPSCHEDULE_RESTORE_OUTPUT",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("restored.sql"),
    show_default=True,
    help="With --account or --table: file of statements that insert what is missing now.",
)
@click.pass_context
def command(
    context: click.Context, to: str | None, account: str | None, table: str | None, output: Path, **options: Any
) -> None:
    """Restore backups: of one machine by `file`, of the cluster by --to, while PostgreSQL is stopped.

    With --account or --table nothing is replaced: a scratch server has what there was, which is compared and written.
    docs/backup.md and docs/cluster-backup.md list the exit codes.
    """
    if context.invoked_subcommand is not None:
        return
    if to is None:
        raise click.UsageError("Say --to for the cluster, or `restore file FILE` for one machine.")
    if account and table:
        raise click.UsageError("--account and --table exclude each other.")
    if options["objects_only"] and (account or table or to != LATEST):
        raise click.UsageError("--objects-only is for --to latest, without --account and --table.")
    beside = output if account or table else None
    cluster_restore.restore_cluster(
        cluster_restore.Choice(to=to, account=account, table=table, output=beside, **options)
    )


@command.command(name="file")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@backup_options.data
@backup_options.key_file
@click.option("--replace", is_flag=True, help="Replace the data that are there.")
@click.option("--without-deleted", is_flag=True, help="With --replace: what was deleted since stays deleted.")
@click.option("--revive-deleted", is_flag=True, help="With --replace: what was deleted since comes back.")
@click.option(
    "--keep-hours",
    envvar="UPSCHEDULE_UPLOADS_KEEP_HOURS",
    type=click.FloatRange(0, min_open=True),
    default=UploadSettings().keep_hours,
    show_default=True,
    help="Older files of finished documents are not restored (R11.5).",
)
@click.option(
    "--migrations",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("migrations"),
    show_default=True,
    help="Where this release's SQL files are.",
)
@backup_options.limits
@backup_options.exits("Nothing was changed.")
def restore_file(
    file: Path,
    data: Path,
    key_file: Path,
    *,
    replace: bool,
    without_deleted: bool,
    revive_deleted: bool,
    keep_hours: float,
    migrations: Path,
    program_seconds: float,
    store_seconds: float,
) -> ExitCode:
    """Make the data of `make run` from FILE, completely or not at all. `make run` must be stopped."""
    if without_deleted and revive_deleted:
        raise click.UsageError("--without-deleted and --revive-deleted exclude each other.")
    chosen: Deletions | None = "keep-deleted" if without_deleted else "revive" if revive_deleted else None
    replaced = data / REPLACED
    options = RestoreOptions(
        replace=replace,
        deletions=chosen,
        migrations=read_migrations(migrations),
        now=dt.datetime.now(tz=dt.UTC),
        keep_hours=keep_hours,
    )
    limits = BackupLimits(program_seconds=program_seconds, store_seconds=store_seconds)
    context = BackupContext(key=read_key(key_file), limits=limits, report=backup_options.progress())
    manifest = restore_backup(data, file, options, context)
    click.echo(f"{data} is restored to {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC. Start it with `make run`.")
    click.echo("What people made or changed after that time is lost.")
    if chosen == "revive" or not replaced.exists():
        click.echo("What they deleted after that time is there again.")
    if replaced.exists():
        click.echo(f"The data from before are in {replaced}: remove this folder when they are not needed.")
    return ExitCode.DONE


@command.command(name="state")
@click.argument("name")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def restore_state(name: str, folder: Path) -> None:
    """Write the newest set NAME of `upschedule backup state` into an empty FOLDER.

    Exit codes: 3 the store does not answer, 4 there is no such set, 5 the folder is not empty, 9 the set is damaged.
    """
    try:
        found = cluster_options.places().states().restore(name, folder)
    except ClusterBackupError as error:
        fail(error.exit_code, error)
    click.echo(f"{folder} has the state {name} of {found.made_at:%Y-%m-%d %H:%M:%S} UTC.")
