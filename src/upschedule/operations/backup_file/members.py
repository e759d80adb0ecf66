"""The members of a backup file: a tar archive in an encrypted stream.

In this order: parts of the dump, objects, secrets, the manifest. No member is larger than a part or an object, so
memory is bounded on both sides.
"""

import tarfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

import msgspec

from upschedule.operations.backup_file.errors import Damaged
from upschedule.operations.backup_file.keys import BackupKey
from upschedule.operations.backup_file.manifest import Manifest
from upschedule.operations.backup_file.sealed import PIECE_BYTES, SealedReader, SealedWriter

DUMP = "database/"
OBJECT = "objects/"
SECRETS = "secrets.json"
_MANIFEST = "manifest.json"
_PART_BYTES = 4 * PIECE_BYTES


class MemberWriter:
    """Adds members to the archive."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def add(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(data), 0o600
        self._archive.addfile(member, BytesIO(data))
        _forget_members(self._archive)

    def add_dump(self, data: Iterable[bytes]) -> None:
        """Adds the dump in parts, because the size of a member must be known before its first byte."""
        number, waiting = 1, bytearray()
        for piece in data:
            waiting += piece
            if len(waiting) >= _PART_BYTES:
                self.add(f"{DUMP}{number:08}", bytes(waiting))
                number, waiting = number + 1, bytearray()
        self.add(f"{DUMP}{number:08}", bytes(waiting))

    def add_manifest(self, manifest: Manifest) -> None:
        self.add(_MANIFEST, msgspec.json.encode(manifest))


@contextmanager
def writing(file: IO[bytes], key: BackupKey) -> Generator[MemberWriter]:
    """The stream gets its end only if the block ends without an error."""
    sealed = SealedWriter(file, key)
    try:
        with tarfile.open(mode="w|", fileobj=sealed, bufsize=PIECE_BYTES, format=tarfile.PAX_FORMAT) as archive:
            yield MemberWriter(archive)
    except BaseException:
        sealed.abandon()
        raise
    sealed.finish()


class MemberReader:
    """Iterates over all members but the last; then `manifest` has that one."""

    def __init__(self, path: Path, key: BackupKey, *, progress: Callable[[float], None]) -> None:
        """`progress` is called with the ratio of the file that was read."""
        self._path, self._key, self._progress = path, key, progress
        self._manifest: Manifest | None = None

    @property
    def manifest(self) -> Manifest:
        if self._manifest is None:
            raise Damaged(self._path, "it has no manifest")
        return self._manifest

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        size = self._path.stat().st_size
        with self._path.open("rb") as file:
            sealed = SealedReader(file, self._key, self._path)
            for name, data in self._members(sealed):
                self._progress(file.tell() / size)
                if name == _MANIFEST:
                    self._manifest = msgspec.json.decode(data, type=Manifest)
                else:
                    yield name, data
            # Every piece is opened, since the last one proves that nothing is missing.
            while sealed.read(PIECE_BYTES):
                pass

    def _members(self, sealed: SealedReader) -> Iterator[tuple[str, bytes]]:
        try:
            with tarfile.open(mode="r|", fileobj=sealed, bufsize=PIECE_BYTES) as archive:
                while member := archive.next():
                    opened = archive.extractfile(member)
                    yield member.name, opened.read() if opened else b""
                    _forget_members(archive)
        except tarfile.TarError as error:
            raise Damaged(self._path, f"its archive is not readable ({error})") from error


def _forget_members(archive: tarfile.TarFile) -> None:
    """TarFile keeps a description of every member, which a stream needs no more."""
    archive.members = []  # pyright: ignore[reportAttributeAccessIssue] - typeshed does not know it
