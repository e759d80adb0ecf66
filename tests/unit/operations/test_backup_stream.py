"""The encrypted stream of backup files never returns data that were changed, truncated or written with another key."""

import os
import tracemalloc
from io import BytesIO
from pathlib import Path
from typing import IO

import pytest

from upschedule.operations.backup_file.errors import Damaged, NewerBackup, Refused, UnusableKey, WrongKey
from upschedule.operations.backup_file.keys import BackupKey, make_key, read_key
from upschedule.operations.backup_file.members import DUMP, MemberReader, writing
from upschedule.operations.backup_file.sealed import PIECE_BYTES, SealedReader, SealedWriter

KEY = BackupKey(bytes(range(32)))
PATH = Path("x.backup")
HEAD_BYTES = 60
SEALED_PIECE_BYTES = PIECE_BYTES + 16


def _sealed(data: bytes, key: BackupKey = KEY) -> bytes:
    target = BytesIO()
    writer = SealedWriter(target, key)
    for start in range(0, len(data), 700_001):
        writer.write(data[start : start + 700_001])
    writer.finish()
    return target.getvalue()


def _opened(sealed: bytes, key: BackupKey = KEY) -> bytes:
    reader = SealedReader(BytesIO(sealed), key, PATH)
    return b"".join(iter(lambda: reader.read(300_007), b""))


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, 3_500_000])
def test_what_was_written_comes_back(size: int) -> None:
    """The sizes are those at the borders of pieces.

    The file does not contain the plain data, and no two files are equal.
    """
    data = os.urandom(size)

    assert _opened(_sealed(data)) == data
    assert _sealed(data) != _sealed(data)


@pytest.mark.parametrize(
    "place",
    [0, 18, 21, 30, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + SEALED_PIECE_BYTES - 1, HEAD_BYTES + 1_500_000, -1],
)
def test_a_flipped_bit_is_found_wherever_it_is(place: int) -> None:
    """The bit is in the head, in a piece or in the proof of a piece."""
    sealed = bytearray(_sealed(os.urandom(2 * PIECE_BYTES)))
    sealed[place] ^= 1

    with pytest.raises((Damaged, WrongKey, NewerBackup)):
        _opened(bytes(sealed))


@pytest.mark.parametrize(
    "size",
    [0, 10, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 5, HEAD_BYTES + SEALED_PIECE_BYTES, HEAD_BYTES + 2_000_000, -1],
)
def test_a_file_that_was_cut_off_is_found(size: int) -> None:
    """This includes a cut at the end of a piece."""
    with pytest.raises(Damaged):
        _opened(_sealed(os.urandom(3 * PIECE_BYTES))[:size])


def test_pieces_can_be_neither_exchanged_nor_repeated_nor_added() -> None:
    """Each piece contains the proof of its position."""
    sealed = _sealed(os.urandom(3 * PIECE_BYTES))
    head = sealed[:HEAD_BYTES]
    one, two, three = (sealed[HEAD_BYTES + at * SEALED_PIECE_BYTES :][:SEALED_PIECE_BYTES] for at in range(3))

    assert _opened(head + one + two + three)
    for pieces in (two + one + three, one + one + two + three, one + three, one + two + three + three):
        with pytest.raises(Damaged):
            _opened(head + pieces)
    with pytest.raises(Damaged):
        _opened(_sealed(b"another")[:HEAD_BYTES] + one + two + three)


def test_another_key_and_a_newer_form_are_named() -> None:
    """An operator then looks for the right key, and not for another backup."""
    other = BackupKey(bytes(32))
    with pytest.raises(WrongKey, match=f"the key {KEY.id.hex()}, and this is the key {other.id.hex()}"):
        _opened(_sealed(b"x"), other)
    with pytest.raises(NewerBackup, match="its form is not known here"):
        _opened(_sealed(b"x").replace(b"upschedule backup 1", b"upschedule backup 2", 1))
    with pytest.raises(Damaged, match="it is not a backup file"):
        _opened(b"PK\3\4" * 100)


def _broken_off(target: IO[bytes]) -> None:
    with writing(target, KEY) as members:
        members.add("secrets.json", b"{}")
        raise OSError("gone")


def test_an_error_while_writing_leaves_no_valid_file(tmp_path: Path) -> None:
    """The end marker is written last."""
    file = tmp_path / "x.backup"
    with file.open("wb") as target, pytest.raises(OSError, match="gone"):
        _broken_off(target)
    with pytest.raises(Damaged):
        list(MemberReader(file, KEY, progress=lambda _: None))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """96 MiB pass through less than 24 MiB of memory in both directions.

    Without a manifest the file is not a backup.
    """
    file, piece = tmp_path / "x.backup", os.urandom(PIECE_BYTES)
    tracemalloc.start()
    with file.open("wb") as target, writing(target, KEY) as members:
        members.add_dump(piece for _ in range(96))
    reader = MemberReader(file, KEY, progress=lambda _: None)
    sizes = [len(data) for name, data in reader if name.startswith(DUMP)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert sum(sizes) == 96 * PIECE_BYTES
    assert peak < 24 * PIECE_BYTES
    with pytest.raises(Damaged, match="no manifest"):
        _ = reader.manifest


def test_a_key_is_private_is_never_overwritten_and_is_checked(tmp_path: Path) -> None:
    """Earlier backups could not be opened if their key was overwritten."""
    path = tmp_path / "key"
    key = make_key(path)

    assert (path.stat().st_mode & 0o777, read_key(path)) == (0o600, key)
    assert key.secret.hex() not in repr(key)
    with pytest.raises(Refused, match="exists"):
        make_key(path)
    for contents in (
        b"",
        b"upschedule-backup-key-1",
        b"upschedule-backup-key-1 AAAA",
        b"x" * 1000,
        b"other " + b"A" * 44,
    ):
        path.write_bytes(contents)
        with pytest.raises(UnusableKey, match="holds no key"):
            read_key(path)
    with pytest.raises(UnusableKey, match="cannot be read"):
        read_key(tmp_path / "none")
