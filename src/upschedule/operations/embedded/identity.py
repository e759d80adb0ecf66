"""Chooses the user that a server runs as if its starter is root (R8.1)."""

import enum
import os
import pwd
import stat
from collections.abc import Iterable
from pathlib import Path

from upschedule.operations.embedded.launcher import NOBODY


class Identity(enum.Enum):
    """The values are arguments of the launcher."""

    OWN = "own"
    NOBODY = "nobody"
    NAMESPACE = "namespace"


def choose_identity(paths: Iterable[Path]) -> Identity:
    """`paths` are those that the server must reach. NAMESPACE is for paths below a private directory such as /root.

    In a user namespace root keeps its files but loses its capabilities. PostgreSQL, which refuses root and users
    without an account, sees no user.
    """
    if os.geteuid() != 0:
        return Identity.OWN if _has_account(os.geteuid()) else Identity.NAMESPACE
    return Identity.NOBODY if all(_open_to_all(path) for path in paths) else Identity.NAMESPACE


def hand_over(directory: Path, identity: Identity) -> None:
    """Make the server the owner of everything below `directory`; earlier runs may have used another identity."""
    if os.geteuid() != 0:
        return
    owner = NOBODY if identity is Identity.NOBODY else 0
    for folder, folders, files in os.walk(directory):
        for name in (".", *folders, *files):
            path = Path(folder, name)
            if path.lstat().st_uid != owner:
                os.chown(path, owner, owner, follow_symlinks=False)


def _has_account(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _open_to_all(path: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)
