"""The operator's key: 32 random bytes in a file of one line."""

import base64
import binascii
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from upschedule.operations.backup_file.errors import Refused, UnusableKey

_WORD = "upschedule-backup-key-1"
_KEY_BYTES = 32
_ID_BYTES = 8
# A file that is no key may be large.
_LINE_BYTES_MAX = 200


@dataclass(frozen=True)
class BackupKey:
    """`id` names the key in files and messages, and says nothing about it."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        return hashlib.sha256(b"upschedule backup key id" + self.secret).digest()[:_ID_BYTES]


def make_key(path: Path) -> BackupKey:
    """Writes a new key, readable by its owner only. Raises Refused if the file exists."""
    key = BackupKey(secrets.token_bytes(_KEY_BYTES))
    line = f"{_WORD} {base64.b64encode(key.secret).decode()}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused(f"{path} exists: a key that is overwritten opens no backup any more.") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return key


def read_key(path: Path) -> BackupKey:
    """Raises UnusableKey."""
    try:
        with path.open("rb") as file:
            words = file.read(_LINE_BYTES_MAX).split()
        word, text = words
        secret = base64.b64decode(text, validate=True)
    except OSError as error:
        raise UnusableKey(path, f"cannot be read ({error.strerror})") from error
    except (ValueError, binascii.Error) as error:
        raise UnusableKey(path, "holds no key") from error
    if word.decode(errors="replace") != _WORD or len(secret) != _KEY_BYTES:
        raise UnusableKey(path, "holds no key")
    return BackupKey(secret)
