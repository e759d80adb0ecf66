"""Proves a backup by restoring it (R9.2)."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psycopg

from upschedule.operations.cluster_backup.errors import ClusterBackupError
from upschedule.operations.cluster_backup.model import Record, Verification
from upschedule.operations.cluster_backup.repository import Repository
from upschedule.operations.cluster_backup.scratch import ScratchOptions, ScratchServer, check_structures, restored
from upschedule.operations.cluster_backup.target import target_of
from upschedule.operations.table_sums import differences, read_sums

_CONNECT_SECONDS = 10


def verify(
    record: Record, repository: Repository, options: ScratchOptions, database: str, now: Callable[[], datetime]
) -> Verification:
    """Restores the backup, checks every table and index, compares all contents, and throws the server away.

    A backup that cannot be restored has that as its problem; this raises nothing of its own.
    """
    begun = now()
    try:
        with restored(target_of(record), repository, options) as server:
            problems = _problems(record, server, options, database)
    except (ClusterBackupError, psycopg.Error, OSError) as error:
        problems = [f"it cannot be restored: {_in_words(error, options.folder)}"]
    ended = now()
    return Verification(finished_at=ended, seconds=(ended - begun).total_seconds(), problems=tuple(problems))


def _problems(record: Record, server: ScratchServer, options: ScratchOptions, database: str) -> list[str]:
    with psycopg.connect(server.dsn(database), connect_timeout=_CONNECT_SECONDS) as connection:
        problems = differences(record.reference.tables, read_sums(connection))
    damage = check_structures(server, database, options)
    return [*problems, damage] if damage else problems


def _in_words(error: Exception, folder: Path) -> str:
    if isinstance(error, OSError):
        return f"{folder}: {error.strerror or error}"
    return str(error).strip()
