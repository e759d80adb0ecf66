"""Writes a backup file: snapshot, dump, objects, manifest; restores it into a scratch server; only then names it."""

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from uuid import UUID

import msgspec

from upschedule.operations.backup_file.context import BackupContext
from upschedule.operations.backup_file.database import Snapshot, key_now, snapshot
from upschedule.operations.backup_file.errors import Refused, StoreAway
from upschedule.operations.backup_file.loading import load, read_manifest
from upschedule.operations.backup_file.machine import Stores, bucket_of, scratch, started, stores_of
from upschedule.operations.backup_file.manifest import Manifest, StoredFile
from upschedule.operations.backup_file.members import OBJECT, SECRETS, MemberWriter, writing
from upschedule.operations.backup_file.programs import dump
from upschedule.operations.embedded.passwords import PasswordFile
from upschedule.operations.embedded.postgres import Postgres
from upschedule.stores.bucket import Bucket, ObjectMissing
from upschedule.stores.errors import StoreError


@dataclass(kw_only=True)
class _Files:
    """The state of each object that the snapshot's rows need."""

    saved: list[StoredFile] = field(default_factory=list[StoredFile])
    forgotten: list[StoredFile] = field(default_factory=list[StoredFile])
    removed: list[UUID] = field(default_factory=list[UUID])
    lost: list[StoredFile] = field(default_factory=list[StoredFile])


def write_backup(data: Path, target: Path, context: BackupContext) -> Manifest:
    """Raises BackupError, EmbeddedServerError, psycopg.Error or OSError; then there is no file `target`."""
    _check_target(data, target)
    draft = target.with_name(f".{target.name}.unverified")
    with scratch(data) as folder, _removed_after(draft):
        with stores_of(data, context.report) as stores:
            _write(draft, data, stores, context)
        manifest = _verify(folder, draft, context)
        _name(draft, target)
    return manifest


def verify_backup(data: Path, file: Path, context: BackupContext) -> Manifest:
    """Restores the file into a scratch server beside `data`.

    Raises BackupError, EmbeddedServerError or psycopg.Error.
    """
    # Damage and a wrong key are found before a server starts.
    read_manifest(file, context)
    with scratch(data) as folder:
        return _verify(folder, file, context)


def _verify(folder: Path, file: Path, context: BackupContext) -> Manifest:
    context.report("Starting a scratch PostgreSQL to restore the file into …")
    postgres = Postgres(folder / "postgres", durable=False)
    with started(postgres):
        return load(file, postgres, context, take_object=lambda _, __: None).manifest


def _check_target(data: Path, target: Path) -> None:
    if target.exists():
        raise Refused(f"{target} exists: choose another name, a backup is never overwritten.")
    if not target.parent.is_dir():
        raise Refused(f"{target.parent} is not a folder.")
    if target.resolve().is_relative_to(data.resolve()):
        raise Refused(f"{target} is within the data that it is to protect: choose another folder or disk.")


def _write(draft: Path, data: Path, stores: Stores, context: BackupContext) -> None:
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with writing(file, context.key) as members:
            taken = _write_database(members, stores.postgres, context)
            context.report(f"Reading {len(taken.needed)} files of documents …")
            files = _write_objects(members, taken, stores, context)
            members.add(SECRETS, msgspec.json.encode(PasswordFile(data / "passwords.json").all()))
            members.add_manifest(_manifest(taken, files))
        file.flush()
        os.fsync(file.fileno())


def _write_database(members: MemberWriter, postgres: Postgres, context: BackupContext) -> Snapshot:
    dsn = postgres.backup_dsn()
    with snapshot(dsn) as taken:
        rows = sum(table.rows for table in taken.tables.values())
        context.report(f"Dumping the database as of {taken.taken_at:%Y-%m-%d %H:%M:%S} UTC, {rows} rows …")
        members.add_dump(dump(dsn, taken.id, seconds_max=context.limits.program_seconds))
    return taken


def _write_objects(members: MemberWriter, taken: Snapshot, stores: Stores, context: BackupContext) -> _Files:
    files, bucket, dsn = _Files(), bucket_of(stores.objects, "worker", context.limits), stores.postgres.backup_dsn()
    try:
        for each in taken.needed:
            contents = _read(bucket, each)
            if contents is not None:
                members.add(OBJECT + each.key, contents)
                files.saved.append(each)
            elif (row := key_now(dsn, each.job)) is None:
                files.removed.append(each.job)
            else:
                (files.lost if row[0] == each.key else files.forgotten).append(each)
    finally:
        bucket.close()
    return files


def _read(bucket: Bucket, file: StoredFile) -> bytes | None:
    """None if the object is missing or has other contents than its row says."""
    try:
        # One byte more than expected shows that it is too long.
        contents = bucket.get(file.key, size_bytes_max=file.size_bytes + 1)
    except ObjectMissing:
        return None
    except StoreError as error:
        raise StoreAway("Reading files", bucket.explain(error)) from error
    return contents if hashlib.sha256(contents).hexdigest() == file.sha256 else None


def _manifest(taken: Snapshot, files: _Files) -> Manifest:
    return Manifest(
        created_at=taken.taken_at,
        release=version("upschedule"),
        postgres_major=taken.postgres_major,
        migrations=taken.migrations,
        tables=taken.tables,
        sequences=taken.sequences,
        files=tuple(files.saved),
        forgotten=tuple(files.forgotten),
        removed=tuple(files.removed),
        lost=tuple(files.lost),
    )


def _name(draft: Path, target: Path) -> None:
    """Raises Refused if the name was taken meanwhile."""
    if target.exists():
        raise Refused(f"{target} was made by another program meanwhile: nothing was overwritten.")
    # Not a hard link, which would refuse an existing name: removable disks often do not support them.
    draft.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _removed_after(draft: Path) -> Generator[None]:
    """Removes it before as well: a killed command may have left it."""
    draft.unlink(missing_ok=True)
    try:
        yield
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
