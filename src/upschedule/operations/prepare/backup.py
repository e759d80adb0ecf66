"""Dumps the database into the bucket of backups, and reads the dump back before anything is changed (R12.5)."""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from upschedule.operations.prepare.errors import BackupFailed
from upschedule.operations.subprocesses import ProgramFailed, connection_environment, run_program
from upschedule.stores.bucket import Bucket, ObjectMissing
from upschedule.stores.errors import StoreError


@dataclass(frozen=True, kw_only=True)
class BackupOptions:
    """`programs` is the folder of pg_dump and pg_restore, None for PATH. They must not be older than the server."""

    store: Bucket
    programs: Path | None = None
    program_seconds: float = 900.0
    lock_wait_seconds: float = 30.0


def back_up(dsn: str, version: str, now: datetime, options: BackupOptions) -> str:
    """Returns the key of the object. Raises BackupFailed."""
    key = f"prepare/{now:%Y%m%dT%H%M%SZ}-{version.replace('+', '-')}.dump"
    with tempfile.NamedTemporaryFile(prefix="upschedule-", suffix=".dump") as file:
        _dump(dsn, file, options)
        _read_all(Path(file.name), options)
        _store(key, Path(file.name), options.store)
    return key


def _dump(dsn: str, file: IO[bytes], options: BackupOptions) -> None:
    wait = f"--lock-wait-timeout={options.lock_wait_seconds * 1000:.0f}"
    _run(
        ["pg_dump", "--format=custom", "--no-password", wait],
        options,
        connection=connection_environment(dsn),
        output=file,
    )


def _read_all(file: Path, options: BackupOptions) -> None:
    """Raises BackupFailed if the dump is truncated or damaged."""
    _run(["pg_restore", f"--file={os.devnull}", str(file)], options)


def _store(key: str, file: Path, store: Bucket) -> None:
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    try:
        store.put_file(key, file, sha256=sha256, content_type="application/octet-stream")
        stored, read = store.stored_sha256(key), store.read_sha256(key)
    except (StoreError, ObjectMissing) as error:
        raise BackupFailed("the object store", store.explain(error)) from error
    if (stored, read) != (sha256, sha256):
        raise BackupFailed("the object store", f"{key} comes back with other bytes than were sent.")


def _run(
    command: Sequence[str],
    options: BackupOptions,
    *,
    connection: dict[str, str] | None = None,
    output: IO[bytes] | None = None,
) -> None:
    name, *arguments = command
    program = options.programs / name if options.programs else name
    try:
        run_program(
            [program, *arguments], timeout_seconds=options.program_seconds, environment=connection, output=output
        )
    except ProgramFailed as error:
        raise BackupFailed(error.program, error.reason) from error
