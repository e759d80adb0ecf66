"""Measures how long one machine's backup and restore take, each with its verification (R9.3).

    uv run python -m perf.backup_file
    uv run python -m perf.backup_file --documents 10000 --events 50 --files 500

The ratio is that of the restore's time to the hour that R9.3 allows.
"""

import argparse
import datetime as dt
import sys
import time
from pathlib import Path

from tests.support.machine import Machine, machine
from tests.support.servers import MIGRATIONS, scratch_directory
from upschedule.operations.backup_file.context import BackupContext, BackupLimits
from upschedule.operations.backup_file.restoring import RestoreOptions, restore_backup
from upschedule.operations.backup_file.writing import write_backup
from upschedule.operations.migration.files import read_migrations

HOUR_SECONDS = 3600.0
DOCUMENTS = """
    INSERT INTO jobs (id, account_id, sha256, file_name, size_bytes, status, finished_at)
    SELECT gen_random_uuid(), %s, uuid_send(gen_random_uuid()), 'a.pdf', 1, 'completed', now()
    FROM generate_series(1, %s)
"""
EVENTS = """
    INSERT INTO events (job_id, ordinal, body)
    SELECT jobs.id, ordinal, jsonb_build_object('module', gen_random_uuid(), 'venue', gen_random_uuid(), 'day', ordinal)
    FROM jobs, generate_series(1, %s) AS ordinal WHERE status = 'completed'
"""


def fill(source: Machine, *, documents: int, events: int, files: int) -> None:
    """Documents that were read, and files of documents that wait."""
    source.change(DOCUMENTS, [source.account, documents])
    source.change(EVENTS, [events])
    for _ in range(files):
        source.add_document("queued")


def main() -> None:
    """Exits with 1 if the restore took longer than an hour."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=2_000)
    parser.add_argument("--events", type=int, default=50)
    parser.add_argument("--files", type=int, default=100)
    arguments = parser.parse_args()
    with scratch_directory() as folder:
        file = folder / "x.backup"
        with machine(folder / "source") as source:
            fill(source, documents=arguments.documents, events=arguments.events, files=arguments.files)
            context = BackupContext(key=source.key, limits=BackupLimits(), report=lambda _: None)
            began = time.monotonic()
            manifest = write_backup(source.data, file, context)
            backup_seconds = time.monotonic() - began
        restore_seconds = restored(folder / "target", file, context)
        rows = sum(table.rows for table in manifest.tables.values())
        print(f"{rows} rows and {len(manifest.files)} files in a backup of {file.stat().st_size / 1e6:.1f} MB")
    print(f"backup, verified: {backup_seconds:.1f} s")
    print(f"restore, verified: {restore_seconds:.1f} s, {restore_seconds / HOUR_SECONDS:.4f} of what is allowed")
    sys.exit(int(restore_seconds > HOUR_SECONDS))


def restored(target: Path, file: Path, context: BackupContext) -> float:
    """Seconds."""
    options = RestoreOptions(
        replace=False,
        deletions=None,
        migrations=read_migrations(MIGRATIONS),
        now=dt.datetime.now(tz=dt.UTC),
        keep_hours=24,
    )
    began = time.monotonic()
    restore_backup(target, file, options, context)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
