"""State that is in no database: snapshots of Nomad and Consul, keys, certificates, Pulumi's state (R9.4).

Each set of files is one object in the repository's bucket, below `state/NAME/`. It is encrypted with a key derived from
the repository's, and is read back and compared before it counts.
"""

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from upschedule.operations.backup_file.errors import BackupError
from upschedule.operations.backup_file.keys import BackupKey
from upschedule.operations.backup_file.sealed import SealedReader, SealedWriter
from upschedule.operations.cluster_backup.errors import ClusterBackupError, ExitCode, RestoreRefused, StepFailed
from upschedule.stores.bucket import Bucket, ObjectMissing
from upschedule.stores.errors import StoreError

#: Without these sets a cluster that is lost cannot be restored as it was (docs/cluster-backup.md).
EXPECTED_SETS = ("servers", "stack", "keys")
_PREFIX = "state/"
_STAMP = "%Y%m%dT%H%M%SZ"
_KEY_BYTES = 32
_PURPOSE = b"upschedule state 1"
#: Snapshots are some megabytes.
STATE_BYTES_MAX = 512 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024


class UnknownState(ClusterBackupError):
    """There is no set of this name and time."""

    exit_code = ExitCode.UNKNOWN

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no state {name}: `upschedule backup list` shows those that there are.")


class StateDamaged(ClusterBackupError):
    """The set is in the store, and does not hold what was written."""

    exit_code = ExitCode.NOT_VERIFIED

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key} does not count: {reason}")


class StateSet(msgspec.Struct, frozen=True, kw_only=True):
    """One set of files in the store."""

    name: str
    made_at: datetime
    stored_bytes: int

    @property
    def key(self) -> str:
        return f"{_PREFIX}{self.name}/{self.made_at:{_STAMP}}"


class States:
    """Every method raises ClusterBackupError. `secret` is the repository's key."""

    def __init__(self, bucket: Bucket, secret: str) -> None:
        self._bucket = bucket
        derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE)
        self._key = BackupKey(derived.derive(secret.encode()))

    def save(self, name: str, paths: Sequence[Path], now: datetime) -> StateSet:
        """Stores files and folders as one set, and reads it back. Raises StateDamaged for one that does not count."""
        made = StateSet(name=name, made_at=now.replace(microsecond=0), stored_bytes=0)
        try:
            with tempfile.TemporaryFile() as file:
                written = _write(file, self._key, paths)
                size = file.tell()
                if size > STATE_BYTES_MAX:
                    raise StepFailed("Saving the state", f"{size} bytes are more than {STATE_BYTES_MAX}.")
                file.seek(0)
                self._bucket.put(made.key, file.read(), content_type="application/octet-stream")
        except OSError as error:
            raise StepFailed("Saving the state", f"{error.filename}: {error.strerror}") from error
        except StoreError as error:
            raise StepFailed("Saving the state", self._bucket.explain(error)) from error
        if self._read(made, None) != written:
            raise StateDamaged(made.key, "its files are not those that were written.")
        return msgspec.structs.replace(made, stored_bytes=size)

    def list(self) -> Sequence[StateSet]:
        """All sets by name, the oldest first."""
        found: list[StateSet] = []
        key = ""
        try:
            for each in self._bucket.find_all(_PREFIX):
                key = each.key
                name, _, stamp = key.removeprefix(_PREFIX).rpartition("/")
                made_at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
                found.append(StateSet(name=name, made_at=made_at, stored_bytes=each.size_bytes))
        except StoreError as error:
            raise StepFailed("Listing the state", self._bucket.explain(error)) from error
        except ValueError as error:
            raise StepFailed("Listing the state", f"{key} is not a set of files.") from error
        return found

    def restore(self, name: str, folder: Path) -> StateSet:
        """Writes the newest set of this name into an empty folder, or nothing."""
        chosen = next((each for each in reversed(self.list()) if each.name == name), None)
        if chosen is None:
            raise UnknownState(name)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise RestoreRefused(f"{folder} is not empty: nothing is overwritten.")
            # Everything is checked before the first file is written.
            self._read(chosen, None)
            self._read(chosen, folder)
        except OSError as error:
            raise StepFailed("Restoring the state", f"{error.filename or folder}: {error.strerror}") from error
        return chosen

    def check(self, known: StateSet) -> None:
        """Reads the set to its end. Raises StateDamaged."""
        self._read(known, None)

    def remove_old(self, now: datetime, days: float) -> int:
        """Removes sets that are older, but never the newest of a name; returns how many."""
        known = self.list()
        newest = {each.name: each for each in known}
        old = [each for each in known if each.made_at < now - timedelta(days=days) and each is not newest[each.name]]
        try:
            for each in old:
                self._bucket.delete(each.key)
        except StoreError as error:
            raise StepFailed("Removing state", self._bucket.explain(error)) from error
        return len(old)

    def _read(self, chosen: StateSet, folder: Path | None) -> Mapping[str, str]:
        """The checksum of each file, which is written below `folder` if there is one."""
        try:
            sealed = self._bucket.get(chosen.key, size_bytes_max=STATE_BYTES_MAX)
            reader = SealedReader(io.BytesIO(sealed), self._key, Path(chosen.key))
            with tarfile.open(fileobj=reader, mode="r|") as archive:
                sums: dict[str, str] = {}
                for member in archive:
                    file = archive.extractfile(member) if member.isfile() else None
                    contents = file.read() if file else b""
                    if member.isfile():
                        sums[member.name] = hashlib.sha256(contents).hexdigest()
                    if folder and member.isfile():
                        write_member(folder, member, contents)
                # What follows the archive's end has to open as well.
                while reader.read(_PIECE_BYTES):
                    pass
        except ObjectMissing as error:
            raise UnknownState(chosen.name) from error
        except StoreError as error:
            raise StepFailed("Reading the state", self._bucket.explain(error)) from error
        except (BackupError, tarfile.TarError) as error:
            raise StateDamaged(chosen.key, str(error)) from error
        return sums


def _write(file: IO[bytes], key: BackupKey, paths: Sequence[Path]) -> Mapping[str, str]:
    """Writes an encrypted archive; returns the checksum of each file in it."""
    sums: dict[str, str] = {}
    writer = SealedWriter(file, key)
    with tarfile.open(fileobj=writer, mode="w|") as archive:
        for path in paths:
            for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if each.is_dir():
                    continue
                contents = each.read_bytes()
                name = f"{path.name}/{each.relative_to(path)}" if path.is_dir() else path.name
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(contents), 0o600
                archive.addfile(member, io.BytesIO(contents))
                sums[name] = hashlib.sha256(contents).hexdigest()
    writer.finish()
    return sums


def write_member(folder: Path, member: tarfile.TarInfo, contents: bytes) -> None:
    """Writes a file of the archive that only its owner can read. Raises ReadError if its name leads out of `folder`."""
    path = (folder / member.name).resolve()
    # Python 3.11.2, the oldest that has to work, has no filters of tarfile yet.
    if not path.is_relative_to(folder.resolve()):
        raise tarfile.ReadError(f"the name {member.name} leads out of the folder")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(contents)
