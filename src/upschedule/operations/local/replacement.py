"""Exchanges the data of the stores for restored ones: all of them or none, also if the command is killed.

Restored data are built in one folder. Renaming this folder decides. From then on its entries are moved to their places,
those of before into another folder, and `make run` and the commands of backups finish that before anything else.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

#: Where restored data are built; nothing uses it before `commit_replacement`.
_DRAFT = "restore-draft"
#: Restored data that count, and are being moved to their places.
DECIDED = "restored"
#: Where the data are that were exchanged.
REPLACED = "before-restore"
#: What is exchanged: the stores and the service's own secrets. Logs stay.
ENTRIES = ("postgres", "objects", "redis-state", "redis-cache", "passwords.json")


def begin_replacement(data: Path) -> Path:
    """An empty folder for the restored entries. The caller holds the lock of `data`."""
    discard_replacement(data)
    draft = data / _DRAFT
    draft.mkdir()
    # Servers without root's rights reach their folders in it, which are private themselves.
    draft.chmod(0o755)
    return draft


def discard_replacement(data: Path) -> None:
    """Removes what a restore that was not committed has left."""
    shutil.rmtree(data / _DRAFT, ignore_errors=True)


def commit_replacement(data: Path, report: Callable[[str], None]) -> None:
    """Makes the restored data the valid ones; after a failure the next start continues."""
    os.sync()
    (data / _DRAFT).rename(data / DECIDED)
    _sync_folder(data)
    finish_replacement(data, report)


def finish_replacement(data: Path, report: Callable[[str], None]) -> None:
    """Does nothing where nothing was decided. The caller holds the lock of `data`."""
    decided = data / DECIDED
    if not decided.exists():
        return
    report("Putting the restored data in place …")
    replaced = data / REPLACED
    for name in ENTRIES:
        restored, current = decided / name, data / name
        if not restored.exists():
            continue
        if current.exists():
            replaced.mkdir(mode=0o700, exist_ok=True)
            current.rename(replaced / name)
        restored.rename(current)
    _sync_folder(data)
    decided.rmdir()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
