"""What runs on this machine for a directory."""

import os
from pathlib import Path


def processes_in(directory: Path) -> dict[int, str]:
    """Pid to command line of each process that works in `directory` or names it."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = (entry / "cwd").readlink()
        except OSError:
            continue  # It ended meanwhile, or was a zombie.
        if place.is_relative_to(directory) or str(directory) in words:
            found[int(entry.name)] = words.strip()
    return found
