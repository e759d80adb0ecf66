"""Certificates by the program of production, and where a server may read them."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.paths import ROOT

PROGRAM = ROOT / "hosts" / "sbin" / "upschedule-certificates"
SERVICES = ("postgres", "pgbouncer", "redis-state", "redis-cache", "object-store", "backup-store")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Its exit code is the caller's to judge."""
    return subprocess.run([PROGRAM, folder, *arguments], capture_output=True, text=True, timeout=30, check=False)


def given_to(owner: Path, scratch: Path, folder: Path) -> tuple[Path, Path]:
    """Certificate and key of the machine where a server may read them, which is not root."""
    user = owner.stat()
    copies = (scratch / "server.pem", scratch / "server.key")
    for copy, name in zip(copies, ("machine.pem", "machine.key"), strict=True):
        shutil.copyfile(folder / name, copy)
        copy.chmod(0o600)
        os.chown(copy, user.st_uid, user.st_gid)
    return copies
