"""The context that is passed to each step of a backup or restore."""

from collections.abc import Callable
from dataclasses import dataclass

from upschedule.operations.backup_file.keys import BackupKey


@dataclass(frozen=True, kw_only=True)
class BackupLimits:
    """`program_seconds` bounds one run of pg_dump or pg_restore, `store_seconds` the silence of the S3 store."""

    program_seconds: float = 3600.0
    store_seconds: float = 30.0


@dataclass(frozen=True, kw_only=True)
class BackupContext:
    """`report` gets a line for each step."""

    key: BackupKey
    limits: BackupLimits
    report: Callable[[str], None]
