"""Packs and pushes a release by the command `upschedule release`."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.local_cluster.errors import ClusterError

# The first run downloads and compiles the packages of the lock file.
PACK_SECONDS = 600


def pack_release(repository: Path, store: Mapping[str, str]) -> str:
    """Packs the commit that is checked out, pushes it, and returns the manifest.

    `store` has the variables AWS_… of the object store. Raises ClusterError.
    """
    done = subprocess.run(
        [sys.executable, "-m", "upschedule", "release", "--push", "--repository", repository],
        env={**os.environ, **store},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PACK_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise ClusterError(f"The release could not be made: {done.stderr.strip()}")
    return done.stdout.strip()
