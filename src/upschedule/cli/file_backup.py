"""Commands of `upschedule backup` for one machine (docs/backup.md)."""

from pathlib import Path

import click

from upschedule.cli import backup_options
from upschedule.operations.backup_file.context import BackupContext, BackupLimits
from upschedule.operations.backup_file.errors import ExitCode
from upschedule.operations.backup_file.keys import make_key, read_key
from upschedule.operations.backup_file.manifest import Manifest
from upschedule.operations.backup_file.writing import verify_backup, write_backup

_MEGABYTE = 1e6
_SHOWN_MAX = 20


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@backup_options.exits("No key was made.")
def key(file: Path) -> ExitCode:
    """Make a key for backup files. Keep it apart from the machine: without it no backup can be read."""
    made = make_key(file)
    click.echo(f"{file} is the key {made.id.hex()}. Keep a copy apart from this machine: without it no backup opens.")
    return ExitCode.DONE


@click.command(name="file")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@backup_options.data
@backup_options.key_file
@backup_options.limits
@backup_options.exits("No backup was made.")
def write_file(file: Path, data: Path, key_file: Path, program_seconds: float, store_seconds: float) -> ExitCode:
    """Back up `make run`, running or not, into the new FILE, which exists only once it was verified.

    Exit code 10: the backup counts, but files of documents were missing or damaged before.
    """
    context = _context(key_file, program_seconds, store_seconds)
    manifest = write_backup(data, file, context)
    if file.stat().st_dev == data.stat().st_dev:
        context.report("The file is on the disk that it is to protect against the loss of: copy it to another machine.")
    click.echo(f"{file}: {file.stat().st_size / _MEGABYTE:.1f} MB, {_contents(manifest)}. Verified.")
    return _said_lost(manifest)


@click.command(name="verify-file")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@backup_options.data
@backup_options.key_file
@backup_options.limits
@backup_options.exits("The file was not verified.")
def verify_file(file: Path, data: Path, key_file: Path, program_seconds: float, store_seconds: float) -> ExitCode:
    """Restore FILE into a scratch PostgreSQL within the data folder, compare everything, and throw it away."""
    manifest = verify_backup(data, file, _context(key_file, program_seconds, store_seconds))
    click.echo(f"{file}: {_contents(manifest)}. Verified.")
    return _said_lost(manifest)


def _context(key_file: Path, program_seconds: float, store_seconds: float) -> BackupContext:
    return BackupContext(
        key=read_key(key_file),
        limits=BackupLimits(program_seconds=program_seconds, store_seconds=store_seconds),
        report=backup_options.progress(),
    )


def _contents(manifest: Manifest) -> str:
    rows = sum(table.rows for table in manifest.tables.values())
    return (
        f"as of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC, {rows} rows and {len(manifest.files)} files, "
        f"by release {manifest.release}"
    )


def _said_lost(manifest: Manifest) -> ExitCode:
    if not manifest.lost:
        return ExitCode.DONE
    names = ", ".join(str(each.job) for each in manifest.lost[:_SHOWN_MAX])
    more = f" and {len(manifest.lost) - _SHOWN_MAX} more" if len(manifest.lost) > _SHOWN_MAX else ""
    click.echo(f"The store had lost the files of these documents before: {names}{more}.", err=True)
    return ExitCode.FILES_LOST


COMMANDS = (key, write_file, verify_file)
