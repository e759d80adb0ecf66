"""What is recorded with each backup."""

from datetime import datetime

import msgspec

from upschedule.operations.table_sums import TableSum


class BackupSet(msgspec.Struct, frozen=True, kw_only=True):
    """A full backup in the repository. `stored_bytes` is its size there, compressed."""

    label: str
    started_at: datetime
    finished_at: datetime
    size_bytes: int
    stored_bytes: int


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of the database at a restore point in the write-ahead log, after the backup."""

    restore_point: str
    taken_at: datetime
    tables: dict[str, TableSum]


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """How a restoration into a scratch server ended. Without problems the backup counts."""

    finished_at: datetime
    seconds: float
    problems: tuple[str, ...] = ()


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Kept in the repository's bucket beside the backup."""

    backup: BackupSet
    reference: Reference
    verification: Verification | None = None

    @property
    def verified(self) -> bool:
        """Whether the last restoration found what was backed up."""
        return self.verification is not None and not self.verification.problems
