"""Encrypts a stream in pieces of 1 MiB, each authenticated with its position and with whether it is the last.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: "Online authenticated encryption and its nonce-reuse
misuse-resistance", 2015) over AES-256-GCM, as in age: the nonce of a piece is its number and whether it is the last.

A file is a head (magic, id of the key, salt) and its pieces. The key of the pieces is derived from the operator's key
and the whole head, so no nonce is used twice and a changed head opens nothing.
"""

import io
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from upschedule.operations.backup_file.errors import Damaged, NewerBackup, WrongKey
from upschedule.operations.backup_file.keys import BackupKey

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PIECE_BYTES = 1024 * 1024
_FAMILY = b"upschedule backup "
_MAGIC = _FAMILY + b"1\n"
_ID_BYTES = 8
_SALT_BYTES = 32
_HEAD_BYTES = len(_MAGIC) + _ID_BYTES + _SALT_BYTES
_TAG_BYTES = 16
_KEY_BYTES = 32
_NUMBER_BYTES = 11


class SealedWriter(io.RawIOBase):
    """Writes to `file`, which stays open. A stream without `finish` is not a valid one."""

    def __init__(self, file: IO[bytes], key: BackupKey) -> None:
        head = _MAGIC + key.id + os.urandom(_SALT_BYTES)
        self._file = file
        self._cipher = _cipher(key, head)
        self._waiting = bytearray()
        self._number = 0
        self._abandoned = False
        file.write(head)

    def write(self, data: "ReadableBuffer") -> int:
        data = bytes(data)
        if self._abandoned:
            return len(data)
        self._waiting += data
        # What fills exactly one piece waits: it may be the last.
        while len(self._waiting) > PIECE_BYTES:
            self._seal(bytes(self._waiting[:PIECE_BYTES]), last=False)
            del self._waiting[:PIECE_BYTES]
        return len(data)

    def finish(self) -> None:
        """Writes the last piece, which marks the end."""
        self._seal(bytes(self._waiting), last=True)

    def abandon(self) -> None:
        """Stops all writing: tarfile flushes its buffer when it is closed, and again when it is collected."""
        self._abandoned = True

    def _seal(self, data: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last=last), data, None))
        self._number += 1


class SealedReader(io.RawIOBase):
    """Raises WrongKey, NewerBackup or Damaged, also at `read`. Data that was returned is authentic."""

    def __init__(self, file: IO[bytes], key: BackupKey, path: Path) -> None:
        """`path` is for messages."""
        self._file, self._path = file, path
        head = file.read(_HEAD_BYTES)
        self._check_head(head, key)
        self._cipher = _cipher(key, head)
        self._next = file.read(PIECE_BYTES + _TAG_BYTES)
        self._number = 0
        self._ended = False
        self._opened = b""

    def read(self, size: int = -1) -> bytes:
        """Returns at most `size` bytes of one piece; none at the end."""
        if not self._opened and not self._ended:
            self._opened = self._open()
        size = len(self._opened) if size < 0 else size
        data, self._opened = self._opened[:size], self._opened[size:]
        return data

    def _check_head(self, head: bytes, key: BackupKey) -> None:
        if head.startswith(_FAMILY) and not head.startswith(_MAGIC):
            raise NewerBackup(self._path, "its form is not known here")
        if not head.startswith(_MAGIC):
            raise Damaged(self._path, "it is not a backup file")
        if len(head) < _HEAD_BYTES:
            raise Damaged(self._path, "it ends before its first byte of content")
        wanted = head[len(_MAGIC) : len(_MAGIC) + _ID_BYTES]
        if wanted != key.id:
            raise WrongKey(self._path, wanted.hex(), key.id.hex())

    def _open(self) -> bytes:
        sealed, self._next = self._next, self._file.read(PIECE_BYTES + _TAG_BYTES)
        last = not self._next
        try:
            data = self._cipher.decrypt(_nonce(self._number, last=last), sealed, None)
        except (InvalidTag, ValueError) as error:
            raise Damaged(self._path, self._reason(sealed, last=last)) from error
        self._number += 1
        self._ended = last
        return data

    def _reason(self, sealed: bytes, *, last: bool) -> str:
        if last and self._opens(sealed, last=False):
            return "its end is missing"
        start = _HEAD_BYTES + self._number * (PIECE_BYTES + _TAG_BYTES)
        return f"it was changed or cut off at or after byte {start}"

    def _opens(self, sealed: bytes, *, last: bool) -> bool:
        try:
            self._cipher.decrypt(_nonce(self._number, last=last), sealed, None)
        except (InvalidTag, ValueError):
            return False
        return True


def _cipher(key: BackupKey, head: bytes) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=head[-_SALT_BYTES:], info=head)
    return AESGCM(derived.derive(key.secret))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_NUMBER_BYTES, "big") + bytes([last])
