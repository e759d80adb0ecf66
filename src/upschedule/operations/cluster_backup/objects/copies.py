"""The encrypted copies in the repository's bucket. Each is kept for as long as its file may be, and then removed."""

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from upschedule.operations.backup_file.manifest import StoredFile
from upschedule.operations.cluster_backup.errors import StepFailed
from upschedule.stores.bucket import Bucket, ObjectMissing
from upschedule.stores.errors import StoreError

PREFIX = "objects/"
#: In the key of a copy: until when it is kept. Keys sort by it.
_UNTIL = "%Y%m%dT%H%MZ"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_PURPOSE = b"upschedule copies of objects 1"


class Copies:
    """Every method raises StepFailed. `secret` is the repository's key, of which the key of the copies is derived.

    The store's object lock protects a copy until its end, against the key that writes it as well.
    """

    def __init__(self, bucket: Bucket, secret: str) -> None:
        self._bucket = bucket
        derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE)
        self._cipher = AESGCM(derived.derive(secret.encode()))
        # Until when there is a copy of each file, by its name. Filled at the first need.
        self._known: dict[str, datetime] | None = None

    def until(self, file: StoredFile) -> datetime | None:
        """Until when the newest copy of the file is kept; None without one."""
        return self._listed().get(_name(file))

    def put(self, file: StoredFile, contents: bytes, until: datetime) -> None:
        """Writes a copy that is locked until then, and kept until the minute is full."""
        end = _whole_minute(until)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, contents, file.key.encode())
        try:
            self._bucket.put(
                _key(_name(file), end), sealed, content_type="application/octet-stream", locked_until=until
            )
        except StoreError as error:
            raise StepFailed("Copying a file", self._bucket.explain(error)) from error
        self._listed()[_name(file)] = end

    def get(self, file: StoredFile) -> bytes | None:
        """The contents, if there is a copy that is what the row describes."""
        if (until := self.until(file)) is None:
            return None
        try:
            sealed = self._bucket.get(
                _key(_name(file), until), size_bytes_max=file.size_bytes + _NONCE_BYTES + _TAG_BYTES + 1
            )
            contents = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], file.key.encode())
        except (ObjectMissing, InvalidTag, ValueError):
            return None
        except StoreError as error:
            raise StepFailed("Reading a copy", self._bucket.explain(error)) from error
        return contents if is_as_described(file, contents) else None

    def remove_ended(self, now: datetime) -> int:
        """Removes the copies whose time is over, with their bytes; returns how many."""
        removed = 0
        try:
            for key in self._ended_keys(now):
                removed += self._bucket.erase(key)
        except StoreError as error:
            raise StepFailed("Removing copies", self._bucket.explain(error)) from error
        listed = self._listed()
        for name in [name for name, until in listed.items() if until <= now]:
            del listed[name]
        return removed

    def _ended_keys(self, now: datetime) -> Iterator[str]:
        for key in self._keys():
            if (_until(key) or now) > now:
                return
            yield key

    def _listed(self) -> dict[str, datetime]:
        if self._known is None:
            try:
                # Later ends come later.
                found = [(key.rpartition("/")[2], _until(key)) for key in self._keys()]
            except StoreError as error:
                raise StepFailed("Listing the copies", self._bucket.explain(error)) from error
            self._known = {name: until for name, until in found if until}
        return self._known

    def _keys(self) -> Iterator[str]:
        return (each.key for each in self._bucket.find_all(PREFIX))


def is_as_described(file: StoredFile, contents: bytes) -> bool:
    """Whether the bytes are those of which the row has the checksum."""
    return hashlib.sha256(contents).hexdigest() == file.sha256


def _name(file: StoredFile) -> str:
    """Says nothing about whose file it is."""
    return hashlib.sha256(file.key.encode()).hexdigest()


def _key(name: str, until: datetime) -> str:
    return f"{PREFIX}{until.astimezone(UTC).strftime(_UNTIL)}/{name}"


def _until(key: str) -> datetime | None:
    """None for a key of another form."""
    try:
        return datetime.strptime(key.removeprefix(PREFIX).partition("/")[0], _UNTIL).replace(tzinfo=UTC)
    except ValueError:
        return None


def _whole_minute(time: datetime) -> datetime:
    whole = time.replace(second=0, microsecond=0)
    return whole if whole == time else whole + timedelta(minutes=1)
