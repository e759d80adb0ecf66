"""The commit that is checked out as the first release, made by the command that every later one is made with."""

import os
import subprocess
import sys
from collections.abc import Mapping

from tools.local_cluster.errors import ClusterError
from tools.local_cluster.plan import ROOT

# The first time it downloads and compiles what the lock file names.
PACK_SECONDS = 600


def release(store: Mapping[str, str]) -> str:
    """The manifest of what is packed and in the object store now; `store` are AWS_…. Raises ClusterError."""
    done = subprocess.run(
        [sys.executable, "-m", "upschedule", "release", "--push"],
        cwd=ROOT,
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
