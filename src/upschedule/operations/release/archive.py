"""Archives a folder as a .tar.gz whose bytes depend only on the names and contents of the files."""

import gzip
import hashlib
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

from upschedule.operations.release.manifest import Archive

_LEVEL = 6


def write_archive(folder: Path, archive: Path) -> None:
    """Replaces `archive` atomically."""
    draft = archive.with_name(f".{archive.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            _write(folder, file)
        draft.replace(archive)
    finally:
        draft.unlink(missing_ok=True)


def describe(archive: Path) -> Archive:
    with archive.open("rb") as file:
        return Archive(name=archive.name, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def _write(folder: Path, file: BinaryIO) -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
            tar.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_normalised)


def _normalised(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The entry without times, owners and groups."""
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member
