"""Host volumes: a folder for each service with data, and one for the releases that all tasks read."""

import os
from collections.abc import Mapping
from pathlib import Path

from tools.local_cluster.users import UIDS

# The volume `traefik` holds the ACME account and its certificates.
VOLUMES = ("postgres", "redis-state", "object-store", "backup-store", "prometheus", "traefik")
RELEASES = "releases"
#: The backups read PostgreSQL's files by its group.
MODES: Mapping[str, int] = {"postgres": 0o750}


def volumes(folder: Path) -> Mapping[str, Path]:
    """Paths by the name of the volume, which is the name of its service."""
    return {name: folder / name for name in (*VOLUMES, RELEASES)}


def make_volumes(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in VOLUMES:
        make_volume(folder / name, UIDS[name], MODES.get(name, 0o700))
    make_volume(folder / RELEASES, UIDS["release"], 0o755)


def make_volume(path: Path, owner: int, mode: int) -> None:
    path.mkdir(mode=mode, exist_ok=True)
    os.chown(path, owner, owner)
