"""Copies what is needed, checks the copies, and brings files back from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg

from upschedule.operations.backup_file.database import key_now, needed_files
from upschedule.operations.backup_file.manifest import StoredFile
from upschedule.operations.cluster_backup.errors import StepFailed
from upschedule.operations.cluster_backup.objects.copies import Copies, is_as_described
from upschedule.stores.bucket import Bucket, ObjectMissing
from upschedule.stores.errors import StoreError

_CONNECT_SECONDS = 10
_STATEMENT_MILLISECONDS = 60_000
#: A job that waits for longer than its file is kept: its copy is written again before it ends.
_RENEWED_FOR = timedelta(hours=2)
_RENEWED_BEFORE = timedelta(hours=1)


def _now() -> datetime:
    return datetime.now(tz=UTC)


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """One pass: files that jobs may need, copies that were made and removed, and files that the store has lost."""

    needed: int
    copied: int
    removed: int
    lost: int


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """Files that the object store had, that came back from a copy, and that are nowhere."""

    present: int
    returned: int
    missing: int

    def __str__(self) -> str:
        return f"{self.present} there, {self.returned} restored, {self.missing} missing"


@dataclass(frozen=True, kw_only=True)
class ObjectBackup:
    """Every method raises StepFailed.

    `dsn` is the backup role's on the live database, and `uploads` the application's bucket. A file is kept for
    `keep_hours` after its upload (R11.5), and so is its copy.
    """

    dsn: str = field(repr=False)
    uploads: Bucket
    copies: Copies
    keep_hours: float = 24.0
    now: Callable[[], datetime] = _now

    def copy(self) -> Copied:
        """One pass: copies what has no copy, and removes the copies whose time is over."""
        now = self.now()
        needed = self._needed()
        outcomes = [self._copy(file, now) for file in needed]
        return Copied(
            needed=len(needed),
            copied=outcomes.count("copied"),
            removed=self.copies.remove_ended(now),
            lost=outcomes.count("lost"),
        )

    def problems(self, needed: Sequence[StoredFile]) -> list[str]:
        """What is wrong with the copies of these files: each that the database still needs must be there, and sound.

        A file that is gone from the object store itself is no fault of the backup.
        """
        broken = [each for each in needed if self.in_time(each) and self.copies.get(each) is None]
        # One that was read meanwhile is needed no more, and has no copy for that reason.
        still = {each.key for each in self._needed()} if broken else frozenset[str]()
        wrong = [each for each in broken if each.key in still and self._read(each) is not None]
        return [f"{len(wrong)} files of documents have no sound copy"] if wrong else []

    def bring_back(self, needed: Sequence[StoredFile]) -> Returned:
        """Puts into the object store what it lacks and a copy has. Changes nothing that is there."""
        present = returned = 0
        for file in needed:
            if self._read(file) is not None:
                present += 1
            elif (contents := self.copies.get(file)) is not None:
                self._put(file, contents)
                returned += 1
        return Returned(present=present, returned=returned, missing=len(needed) - present - returned)

    def bring_back_needed(self) -> Returned:
        """Restores files for the running database, whose object store has lost them."""
        return self.bring_back(self._needed())

    def in_time(self, file: StoredFile) -> bool:
        """Whether its copy has not ended."""
        return not file.finished or self._end(file) > self.now()

    def _copy(self, file: StoredFile, now: datetime) -> str:
        until = self._end(file)
        if file.finished and until <= now:
            return "ended"
        known = self.copies.until(file)
        if not file.finished and until < now + _RENEWED_BEFORE:
            until = now + _RENEWED_FOR
        if known and (file.finished or known >= now + _RENEWED_BEFORE):
            return "known"
        if (contents := self._read(file)) is not None:
            self.copies.put(file, contents, until)
            return "copied"
        return "lost" if self._is_named(file) else "ended"

    def _end(self, file: StoredFile) -> datetime:
        return file.stored_at + timedelta(hours=self.keep_hours)

    def _needed(self) -> Sequence[StoredFile]:
        try:
            with psycopg.connect(self.dsn, connect_timeout=_CONNECT_SECONDS) as connection:
                connection.execute(f"SET LOCAL statement_timeout = {_STATEMENT_MILLISECONDS}".encode())
                return needed_files(connection)
        except psycopg.Error as error:
            raise StepFailed("Asking PostgreSQL", str(error).strip()) from error

    def _is_named(self, file: StoredFile) -> bool:
        """Whether the live database still has a row for this file."""
        try:
            return key_now(self.dsn, file.job) == (file.key,)
        except psycopg.Error as error:
            raise StepFailed("Asking PostgreSQL", str(error).strip()) from error

    def _read(self, file: StoredFile) -> bytes | None:
        """None if the object store has no such file, or another one."""
        try:
            # One byte more than expected shows that it is too long.
            contents = self.uploads.get(file.key, size_bytes_max=file.size_bytes + 1)
        except ObjectMissing:
            return None
        except StoreError as error:
            raise StepFailed("Reading a file", self.uploads.explain(error)) from error
        return contents if is_as_described(file, contents) else None

    def _put(self, file: StoredFile, contents: bytes) -> None:
        try:
            self.uploads.put(file.key, contents, content_type="application/pdf")
        except StoreError as error:
            raise StepFailed("Restoring a file", self.uploads.explain(error)) from error


def needed_of(dsn: str) -> Sequence[StoredFile]:
    """The files that the jobs of a restored database may need. Raises psycopg.Error."""
    with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        return needed_files(connection)
