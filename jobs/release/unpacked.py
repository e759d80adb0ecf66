"""Releases on a node, unpacked once for all of its instances (R10.1, R10.2).

    unpacked.py fetch FOLDER SECONDS URL SHA256 [URL SHA256 …]
    unpacked.py run SECONDS PATH [PATH …] -- ARGUMENT-OF-PYTHON …

`fetch` makes FOLDER/<first 16 digits of the SHA-256> of each archive; under that name it is whole. `run` waits for such
paths, then becomes Python with the arguments. Who runs holds a shared lock on what it runs, which the kernel takes back
whatever ends the process: what is locked is not removed, nor what was used last.

Needs Python 3.11 and nothing else: it runs before there is anything else.
"""

import fcntl
import hashlib
import os
import random
import shutil
import signal
import sys
import tarfile
import time
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME_DIGITS = 16
# Beside those that are asked for: a release that is reverted, or made again, finds its own.
KEPT = 8
ARCHIVE_BYTES = 1 << 30
CHUNK_BYTES = 1 << 20
ANSWER_SECONDS = 30
PAUSES_SECONDS = (1.0, 4.0)
POLL_SECONDS = 0.1


def fetch(folder: Path, archives: dict[str, str]) -> None:
    """`archives` are SHA-256 by URL."""
    wanted = {digest[:NAME_DIGITS] for digest in archives.values()}
    if {name for name in wanted if is_used_again(folder / name)} == wanted:
        return
    with locked(folder / ".lock"):
        for draft in folder.glob(".*.draft"):  # Of somebody who was ended half-way.
            shutil.rmtree(draft)
        for url, digest in archives.items():
            if not is_used_again(folder / digest[:NAME_DIGITS]):
                unpack(folder, url, digest)
        remove_unused(folder, wanted)


def is_used_again(path: Path) -> bool:
    """Whether it is there; the time of its last use is kept as that of its change."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def unpack(folder: Path, url: str, digest: str) -> None:
    packed, draft = folder / ".archive", folder / f".{digest[:NAME_DIGITS]}.draft"
    try:
        download(url, digest, packed)
        draft.mkdir(mode=0o755)
        with tarfile.open(packed, "r:gz") as tar:
            # Python's own filters are not in each 3.11: what ours holds is checked here.
            tar.extraction_filter = lambda member, _: member
            for member in tar:
                check(member, draft)
                tar.extract(member, draft)
    finally:
        packed.unlink(missing_ok=True)
    # A name promises that all of it is there, also after a power cut.
    os.sync()
    os.utime(draft.rename(folder / digest[:NAME_DIGITS]))


def download(url: str, digest: str, packed: Path) -> None:
    found = ""
    for pause in (*PAUSES_SECONDS, None):
        try:
            found = receive(url, packed)
            break
        except OSError as reason:
            if pause is None:
                sys.exit(f"{url} cannot be fetched: {reason}")
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads nodes, guards nothing
    if found != digest:
        sys.exit(f"{url} has the SHA-256 {found}, and the release says {digest}: push the release again.")


def receive(url: str, packed: Path) -> str:
    """The SHA-256. Raises OSError."""
    digest, left = hashlib.sha256(), ARCHIVE_BYTES
    with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer, packed.open("wb") as file:  # noqa: S310 - the stack's URL
        while chunk := answer.read(CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
            left -= len(chunk)
            if left < 0:
                sys.exit(f"{url} is longer than {ARCHIVE_BYTES} bytes, which is no release.")
    return digest.hexdigest()


def check(member: tarfile.TarInfo, folder: Path) -> None:
    """Files and folders below the folder, nothing else."""
    path = os.path.normpath(folder / member.name)
    if not (member.isreg() or member.isdir()) or not path.startswith(f"{folder}{os.sep}"):
        sys.exit(f"The archive holds {member.name}, which is no file or folder of its own: this is no release.")


def remove_unused(folder: Path, wanted: Collection[str]) -> None:
    others = [path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in wanted]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[KEPT:]:
        # Somebody who runs it is why it may stay.
        with suppress(BlockingIOError), locked(path, fcntl.LOCK_NB):
            shutil.rmtree(path.rename(folder / f".{path.name}.draft"))


@contextmanager
def locked(path: Path, how: int = 0) -> Iterator[None]:
    """By this process alone. Raises BlockingIOError with LOCK_NB."""
    opened = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(opened)


def run(seconds: int, paths: list[Path], arguments: list[str]) -> None:
    """`paths` are folders that `fetch` makes: a lock on anything within one would hold nothing."""
    deadline = time.monotonic() + seconds
    for path in paths:
        while not is_held(path):
            if time.monotonic() > deadline:
                sys.exit(f"{path} did not come within {seconds} s: see the log of the task `fetch`.")
            time.sleep(POLL_SECONDS)
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - it becomes the task's program


def is_held(path: Path) -> bool:
    """From now on until the process ends; False where it is not there."""
    try:
        opened = os.open(path, os.O_RDONLY)
        fcntl.flock(opened, fcntl.LOCK_SH)
        # Between the two it may have been removed.
        if os.path.samestat(os.fstat(opened), path.stat()):
            os.set_inheritable(opened, True)  # noqa: FBT003 - takes no keyword
            return True
        os.close(opened)
    except FileNotFoundError:
        pass
    return False


def give_up(*_: object) -> None:
    sys.exit("The release was not fetched in time: is the object store slow, or the disk?")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fetch", folder, seconds, *archives]:
            signal.signal(signal.SIGALRM, give_up)
            signal.alarm(int(seconds))
            fetch(Path(folder), dict(zip(archives[::2], archives[1::2], strict=True)))
        case ["run", seconds, *words]:
            split = words.index("--")
            run(int(seconds), [Path(word) for word in words[:split]], words[split + 1 :])
        case _:
            sys.exit(__doc__)
