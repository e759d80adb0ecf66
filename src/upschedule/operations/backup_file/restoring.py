"""Restores a backup file into the data folder of `make run`: all of it, or nothing."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from upschedule.operations.backup_file.building import Deletions, RestorePlan, build
from upschedule.operations.backup_file.context import BackupContext
from upschedule.operations.backup_file.database import applied_migrations
from upschedule.operations.backup_file.errors import NewerBackup, Refused
from upschedule.operations.backup_file.loading import read_manifest
from upschedule.operations.backup_file.machine import holds_data, started
from upschedule.operations.backup_file.manifest import Manifest
from upschedule.operations.backup_file.settling import PresentRows, kept_files
from upschedule.operations.embedded.errors import EmbeddedServerError
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.local.preconditions import exclusive
from upschedule.operations.local.replacement import (
    REPLACED,
    begin_replacement,
    commit_replacement,
    discard_replacement,
    finish_replacement,
)
from upschedule.operations.migration import files
from upschedule.operations.migration.files import Migration


@dataclass(frozen=True, kw_only=True)
class RestoreOptions:
    """`now` and `keep_hours` decide which files are past their time (R11.5)."""

    replace: bool
    deletions: Deletions | None
    migrations: list[Migration]
    now: datetime
    keep_hours: float


def restore_backup(data: Path, file: Path, options: RestoreOptions, context: BackupContext) -> Manifest:
    """After an error `data` is as before.

    Raises BackupError, LocalStackRefused, EmbeddedServerError, MigrationError or psycopg.Error.
    """
    with exclusive(data):
        finish_replacement(data, context.report)
        _check_present(data, replace=options.replace)
        context.report(f"Reading {file}, to see that it is whole …")
        manifest = read_manifest(file, context)
        _check_versions(file, manifest, options.migrations)
        present = _present_rows(data, options, context) if holds_data(data) else None
        with _discarded_unless_committed(data) as draft:
            kept = kept_files(manifest, now=options.now, keep_hours=options.keep_hours)
            plan = RestorePlan(
                file=file, kept=kept, present=present, deletions=options.deletions, migrations=options.migrations
            )
            build(draft, plan, context)
            commit_replacement(data, context.report)
    return manifest


def _check_present(data: Path, *, replace: bool) -> None:
    if holds_data(data) and not replace:
        raise Refused(f"{data} holds a service's data, which would be replaced. Say --replace if they are to be.")
    if (data / REPLACED).exists():
        raise Refused(
            f"{data / REPLACED} has the data from before an earlier restore. Remove the folder if they are not needed."
        )


def _check_versions(file: Path, manifest: Manifest, migrations: list[Migration]) -> None:
    """Raises NewerBackup, or MigrationError where the file comes from another line of migrations."""
    if len(manifest.migrations) > len(migrations):
        newest = manifest.migrations[-1].name
        raise NewerBackup(file, f"its database has the migration {newest}, which this release does not know")
    files.plan(migrations, applied_migrations(manifest.migrations))


def _present_rows(data: Path, options: RestoreOptions, context: BackupContext) -> PresentRows | None:
    if options.deletions == "revive":
        return None
    context.report("Looking up what was deleted since the backup …")
    server = Postgres(data / "postgres")
    try:
        with started(server):
            return PresentRows(server.owner_dsn())
    except (EmbeddedServerError, psycopg.Error) as error:
        raise Refused(
            f"The present database does not answer, so what was deleted since the backup is not known: {error} "
            "With --revive-deleted all of the backup is restored."
        ) from error


@contextmanager
def _discarded_unless_committed(data: Path) -> Generator[Path]:
    draft = begin_replacement(data)
    try:
        yield draft
    finally:
        discard_replacement(data)
