"""Unpacks releases on a node, once for all of its instances, and runs them (R10.1, R10.2).

    unpacked.py fetch FOLDER SECONDS URL SHA256 [URL SHA256 …]
    unpacked.py run SECONDS PATH [PATH …] -- ARGUMENT-OF-PYTHON …

`fetch` unpacks each archive to FOLDER/<first 16 digits of its SHA-256>; a folder with such a name is complete. `run`
waits for such paths, then becomes Python with the arguments. The process keeps a shared lock on the folders that it
runs, which the kernel releases at the end of the process. `fetch` removes neither locked nor recently used folders.

It uses only Python 3.11 and its standard library, since it runs before anything else exists on the node.
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
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME_DIGITS = 16
# Folders that stay beside the requested ones, so that a release that is reverted to need not be fetched again.
UNUSED_FOLDERS_MAX = 8
ARCHIVE_BYTES = 1 << 30
CHUNK_BYTES = 1 << 20
ANSWER_SECONDS = 30
PAUSES_SECONDS = (1.0, 4.0)
POLL_SECONDS = 0.1


def fetch(folder: Path, archives: dict[str, str]) -> None:
    """Unpacks the archives that are missing; `archives` maps URLs to SHA-256."""
    wanted = {digest[:NAME_DIGITS] for digest in archives.values()}
    if {name for name in wanted if record_use(folder / name)} == wanted:
        return
    with locked(folder / ".lock"):
        for draft in folder.glob(".*.draft"):  # A process was ended while it unpacked.
            shutil.rmtree(draft)
        for url, digest in archives.items():
            if not record_use(folder / digest[:NAME_DIGITS]):
                unpack(folder, url, digest)
        remove_unused(folder, wanted)


def record_use(path: Path) -> bool:
    """Records that the folder is used, as its time of change. False if it does not exist."""
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
            # Some releases of Python 3.11 have no filters, so `check_member` checks each member.
            tar.extraction_filter = lambda member, _: member
            for member in tar:
                check_member(member, draft)
                tar.extract(member, draft)
    finally:
        packed.unlink(missing_ok=True)
    # A folder with its final name is complete, even after a power cut.
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
    """Downloads the archive and returns its SHA-256. Raises OSError."""
    digest, left = hashlib.sha256(), ARCHIVE_BYTES
    with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer, packed.open("wb") as file:  # noqa: S310 - the stack's URL
        while chunk := answer.read(CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
            left -= len(chunk)
            if left < 0:
                sys.exit(f"{url} is longer than {ARCHIVE_BYTES} bytes, which is no release.")
    return digest.hexdigest()


def check_member(member: tarfile.TarInfo, folder: Path) -> None:
    """Ends the program unless the member is a file or a folder below `folder`."""
    path = os.path.normpath(folder / member.name)
    if not (member.isreg() or member.isdir()) or not path.startswith(f"{folder}{os.sep}"):
        sys.exit(f"The archive holds {member.name}, which is no file or folder of its own: this is no release.")


def remove_unused(folder: Path, wanted: Collection[str]) -> None:
    others = [path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in wanted]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[UNUSED_FOLDERS_MAX:]:
        # It stays if a process runs it.
        with suppress(BlockingIOError), locked(path, fcntl.LOCK_NB):
            shutil.rmtree(path.rename(folder / f".{path.name}.draft"))


@contextmanager
def locked(path: Path, how: int = 0) -> Generator[None]:
    """Holds an exclusive lock. Raises BlockingIOError with LOCK_NB."""
    opened = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(opened)


def run(seconds: int, paths: list[Path], arguments: list[str]) -> None:
    """Waits for the folders and runs Python. `paths` are folders that `fetch` makes, since `fetch` locks those only."""
    deadline = time.monotonic() + seconds
    for path in paths:
        while not lock_for_use(path):
            if time.monotonic() > deadline:
                sys.exit(f"{path} did not come within {seconds} s: see the log of the task `fetch`.")
            time.sleep(POLL_SECONDS)
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - it becomes the task's program


def lock_for_use(path: Path) -> bool:
    """Locks the folder until the process ends. False if it does not exist."""
    try:
        opened = os.open(path, os.O_RDONLY)
        fcntl.flock(opened, fcntl.LOCK_SH)
        # It may have been removed before it was locked.
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
