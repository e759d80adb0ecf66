"""The commit that is checked out as the first release, made by the command that every later one is made with."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.local_cluster.errors import ClusterError

# The first time it downloads and compiles what the lock file names.
PACK_SECONDS = 600


def release(repository: Path, store: Mapping[str, str]) -> str:
    """The manifest of what is packed and in the object store now; `store` are AWS_…. Raises ClusterError."""
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
