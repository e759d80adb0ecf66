"""Reads the migration files of this release, and plans which of them are still to be applied."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from upschedule.operations.migration.errors import (
    ContractedByNewerRelease,
    MigrationFilesInvalid,
    MigrationHistoryChanged,
)

_NAME = re.compile(r"(\d{4})_(expand|contract)_[a-z0-9_]+\.sql")
_NO_TRANSACTION = re.compile(r"\A-- no-transaction$", re.MULTILINE)
_NEXT_STATEMENT = re.compile(r"^-- next statement$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One migration file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def contracts(self) -> bool:
        """Whether the migration removes schema that an older release may use."""
        return "_contract_" in self.name

    @property
    def transactional(self) -> bool:
        return _NO_TRANSACTION.search(self.sql) is None

    @property
    def statements(self) -> list[str]:
        """The statements of a file without a transaction. Each runs alone, and all run again after a failure."""
        return _NEXT_STATEMENT.split(self.sql)


@dataclass(frozen=True, kw_only=True)
class AppliedMigration:
    """A row of `schema_migrations`."""

    number: int
    name: str
    checksum: str


@dataclass(frozen=True, kw_only=True)
class MigrationPlan:
    """`present` are applied, `pending` are not. `ahead` were applied by a newer release."""

    present: Sequence[Migration]
    pending: Sequence[Migration]
    ahead: Sequence[AppliedMigration]


def read_migrations(directory: Path) -> list[Migration]:
    """The migrations of a directory in order. Raises MigrationFilesInvalid."""
    paths = sorted(directory.glob("[0-9]*.sql"))
    migrations = [_read(path) for path in paths]
    for expected, migration in enumerate(migrations, start=1):
        if migration.number != expected:
            raise MigrationFilesInvalid(f"{migration.name} is in the place of number {expected:04} belongs.")
    if not migrations:
        raise MigrationFilesInvalid(f"There are no migrations in {directory}.")
    return migrations


def plan(migrations: Sequence[Migration], applied: Sequence[AppliedMigration]) -> MigrationPlan:
    """Raises MigrationHistoryChanged, or ContractedByNewerRelease after a rollback (R12.3)."""
    for migration, row in zip(migrations[: len(applied)], applied[: len(migrations)], strict=True):
        if migration.name != row.name:
            raise MigrationHistoryChanged(row.name, "is missing from this release")
        if migration.checksum != row.checksum:
            raise MigrationHistoryChanged(row.name, "was changed")
    ahead = applied[len(migrations) :]
    for row in ahead:
        if "_contract_" in row.name:
            raise ContractedByNewerRelease(row.name)
    return MigrationPlan(present=migrations[: len(applied)], pending=migrations[len(applied) :], ahead=ahead)


def _read(path: Path) -> Migration:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise MigrationFilesInvalid(f"{path.name} is not named NNNN_expand_words.sql or NNNN_contract_words.sql.")
    return Migration(number=int(match[1]), name=path.name, sql=path.read_text(encoding="utf-8"))
