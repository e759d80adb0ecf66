"""Proves a backup by restoring it (R9.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from upschedule.operations.cluster_backup.errors import ClusterBackupError
from upschedule.operations.cluster_backup.model import Record, Verification
from upschedule.operations.cluster_backup.objects.backup import ObjectBackup, needed_of
from upschedule.operations.cluster_backup.repository import Repository
from upschedule.operations.cluster_backup.scratch import ScratchOptions, ScratchServer, check_structures, restored
from upschedule.operations.cluster_backup.target import target_of
from upschedule.operations.table_sums import differences, read_sums

_CONNECT_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """`database` is the name of the database whose contents were recorded."""

    scratch: ScratchOptions
    objects: ObjectBackup
    database: str
    now: Callable[[], datetime]


def verify(record: Record, repository: Repository, options: VerifyOptions) -> Verification:
    """Restores the backup, checks every table and index, compares all contents, and throws the server away.

    Each file of a document that the restored rows need must have a sound copy.

    A backup that cannot be restored has that as its problem; this raises nothing of its own.
    """
    begun = options.now()
    try:
        with restored(target_of(record), repository, options.scratch) as server:
            problems = _problems(record, server, options)
    except (ClusterBackupError, psycopg.Error, OSError) as error:
        problems = [f"it cannot be restored: {_in_words(error, options.scratch.folder)}"]
    ended = options.now()
    return Verification(finished_at=ended, seconds=(ended - begun).total_seconds(), problems=tuple(problems))


def _problems(record: Record, server: ScratchServer, options: VerifyOptions) -> list[str]:
    dsn = server.dsn(options.database)
    with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        problems = differences(record.reference.tables, read_sums(connection))
    if damage := check_structures(server, options.database, options.scratch):
        problems.append(damage)
    return [*problems, *options.objects.problems(needed_of(dsn))]


def _in_words(error: Exception, folder: Path) -> str:
    if isinstance(error, OSError):
        return f"{folder}: {error.strerror or error}"
    return str(error).strip()
