"""The manifest of a backup file, which is its last member."""

from datetime import datetime
from uuid import UUID

import msgspec

from upschedule.operations.table_sums import TableSum


class AppliedName(msgspec.Struct, frozen=True):
    """A row of `schema_migrations`."""

    number: int
    name: str
    checksum: str


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """The object of a job, as its row describes it."""

    job: UUID
    key: str
    sha256: str
    size_bytes: int
    #: Whether retention may remove it: its job is finished.
    finished: bool
    stored_at: datetime


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a backup file.

    `created_at` is the time of the snapshot that all data of the database come from.
    """

    created_at: datetime
    release: str
    postgres_major: int
    migrations: tuple[AppliedName, ...]
    tables: dict[str, TableSum]
    #: Last value of each sequence before the dump. The dump has this one or a later one.
    sequences: dict[str, int]
    files: tuple[StoredFile, ...]
    #: Files that retention deleted while the backup was made. A restore marks their rows as rows without a file.
    forgotten: tuple[StoredFile, ...]
    #: Documents that were deleted while the backup was made, and are deleted at a restore.
    removed: tuple[UUID, ...]
    #: Missing or damaged in the store although their rows named them.
    lost: tuple[StoredFile, ...]
