"""What outlives the jobs: a folder for each task that keeps something, readable by its user only."""

import os
from collections.abc import Mapping
from pathlib import Path

from tools.local_cluster.users import UIDS

# The volume `traefik` holds the ACME account and its certificates.
VOLUMES = ("postgres", "redis-state", "object-store", "prometheus", "traefik")


def volumes(folder: Path) -> Mapping[str, Path]:
    """Paths by the name of the volume, which is that of its service."""
    return {name: folder / name for name in VOLUMES}


def make_volumes(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, path in volumes(folder).items():
        path.mkdir(mode=0o700, exist_ok=True)
        os.chown(path, UIDS[name], UIDS[name])
