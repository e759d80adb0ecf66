"""The cluster's commands of `upschedule backup` (docs/cluster-backup.md)."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click
import msgspec
import psycopg
import structlog

from upschedule import logging
from upschedule.cli import cluster_options
from upschedule.cli.failing import fail
from upschedule.operations.cluster_backup.drill import DrillFailed
from upschedule.operations.cluster_backup.errors import ClusterBackupError, StepFailed
from upschedule.operations.cluster_backup.model import BackupSet, Record
from upschedule.operations.cluster_backup.objects.process import Parts, follow
from upschedule.operations.cluster_backup.reference import ReferenceOptions
from upschedule.operations.cluster_backup.run import Backups
from upschedule.operations.cluster_backup.runs import Runs
from upschedule.operations.cluster_backup.state import StateSet

P = ParamSpec("P")
_MEGABYTE = 1e6


def _options(run: Callable[P, None]) -> Callable[P, None]:
    """What all commands share; errors become exit codes."""

    @cluster_options.postgres_programs
    @cluster_options.scratch
    @cluster_options.program_seconds
    @cluster_options.keep_hours
    @click.option(
        "--keep-days",
        type=cluster_options.POSITIVE,
        default=7.0,
        show_default=True,
        help="How far back every second can be restored.",
    )
    @click.option(
        "--hidden-days",
        type=cluster_options.POSITIVE,
        default=9.0,
        show_default=True,
        help="How long an administrator can bring back what was deleted from the repository.",
    )
    @click.option(
        "--quiet-seconds",
        type=cluster_options.POSITIVE,
        default=60.0,
        show_default=True,
        help="Longest search for a moment without open writers.",
    )
    @click.option(
        "--archive-seconds",
        type=cluster_options.POSITIVE,
        default=120.0,
        show_default=True,
        help="Longest wait until PostgreSQL has archived the restore point.",
    )
    @click.option(
        "--drill-days",
        type=cluster_options.POSITIVE,
        default=7.0,
        show_default=True,
        help="After a backup, restore everything that was archived if that has not passed for so long.",
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

    Exit codes: 3 no backup was made, 9 one was made and does not count, 10 it counts and the drill after it failed.
    """
    _backups(**options).back_up()


@click.command(name="list")
@_options
def list_(**options: Any) -> None:
    """List the cluster's backups and saved state, the oldest first. Exit code 3: the repository cannot be read."""
    for line in (*lines_of(_backups(**options).list()), *state_lines(cluster_options.places().states().list())):
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


@click.command()
@_options
def drill(**options: Any) -> None:
    """Restore everything that was archived into a scratch server at once, check it, and record that.

    Exit codes: 3 it could not be recorded, 10 the archive cannot be restored or its contents are wrong.
    """
    backups = _backups(**options)
    try:
        problems = backups.drill.run() if backups.drill else ()
    except psycopg.Error as error:
        raise StepFailed("Recording the drill", str(error).strip()) from error
    if problems:
        raise DrillFailed(problems)


@click.command()
@cluster_options.keep_hours
@click.option(
    "--every-seconds",
    envvar="UPSCHEDULE_OBJECT_COPIES_EVERY_SECONDS",
    type=cluster_options.POSITIVE,
    default=10.0,
    show_default=True,
    help="Time between two passes.",
)
@click.option("--host", envvar="UPSCHEDULE_OBJECT_COPIES_HOST", default="127.0.0.1", show_default=True)
@click.option(
    "--port", envvar="UPSCHEDULE_OBJECT_COPIES_PORT", type=click.IntRange(0, 65535), default=0, show_default=True
)
@click.option("--once", is_flag=True, help="Make one pass, print what it did, and end.")
def objects(*, keep_hours: float, every_seconds: float, host: str, port: int, once: bool) -> None:
    """Copy the files of documents that may still be read into the repository's store. Until a signal.

    Exit code 3: with --once, a store or PostgreSQL did not answer.
    """
    found = cluster_options.places()
    backup = cluster_options.object_backup(found, keep_hours)
    if once:
        try:
            done = backup.copy()
        except ClusterBackupError as error:
            fail(error.exit_code, error)
        click.echo(f"{done.needed} files needed, {done.copied} copied, {done.removed} removed, {done.lost} lost")
        return
    logging.configure(level="info", process="object-copies")
    try:
        follow(
            Parts(objects=backup, states=found.states(), gaps=found.gaps()),
            every_seconds=every_seconds,
            host=host,
            port=port,
        )
    except OSError as error:
        fail(os.EX_UNAVAILABLE, error)


@click.command()
@click.argument("name")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--keep-days",
    type=cluster_options.POSITIVE,
    default=7.0,
    show_default=True,
    help="How long earlier sets of this name are kept; the newest one stays.",
)
def state(name: str, paths: tuple[Path, ...], *, keep_days: float) -> None:
    """Save files and folders that no database has, encrypted, as the set NAME: snapshots, keys, Pulumi's state.

    Exit codes: 3 nothing was saved, 9 what the store returns is not what was written.
    """
    states, moment = cluster_options.places().states(), datetime.now(tz=UTC)
    try:
        made = states.save(name, paths, moment)
        states.remove_old(moment, keep_days)
    except ClusterBackupError as error:
        fail(error.exit_code, error)
    click.echo(f"Saved and read back: {made.key}, {made.stored_bytes} bytes")


#: Of the group `backup`.
COMMANDS = (now, list_, verify, show, drill, objects, state)


def _backups(
    *,
    postgres_programs: Path,
    scratch: Path,
    program_seconds: float,
    keep_hours: float,
    keep_days: float,
    hidden_days: float,
    quiet_seconds: float,
    archive_seconds: float,
    drill_days: float,
) -> Backups:
    found, dsn = cluster_options.places(), cluster_options.database_url()
    backups = Backups(
        repository=found.repository(program_seconds),
        records=found.records(),
        runs=Runs(dsn=dsn),
        objects=cluster_options.object_backup(found, keep_hours),
        reference=ReferenceOptions(dsn=dsn, quiet_seconds=quiet_seconds, archive_seconds=archive_seconds),
        scratch=cluster_options.scratch_options(postgres_programs, scratch, program_seconds),
        database=cluster_options.DATABASE,
        keep_days=keep_days,
        hidden_days=hidden_days,
        drill_days=drill_days,
    )
    return replace(backups, drill=backups.make_drill(found.states()))


def state_lines(known: Iterable[StateSet]) -> Iterable[str]:
    """One for each set of files."""
    for each in known:
        yield f"state {each.name}  {each.made_at:%Y-%m-%d %H:%M:%S} UTC  {each.stored_bytes / _MEGABYTE:.1f} MB stored"


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
