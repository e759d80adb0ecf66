"""Finds secrets in the files that Git tracks: `python -m tools.secret_scan`, a part of `nox -s lint`.

It works offline: whether a secret still opens anything is not asked. A line that only looks like a secret gets the
comment `kingfisher:ignore`.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS_MAX = 600.0
#: The exit codes of kingfisher that are no failure of its own: no finding, findings.
CLEAN, FOUND = 0, 200
_OFFLINE = ("--no-validate", "--no-update-check", "--git-history", "none", "--quiet")


def main() -> int:
    outcome = scan(tracked_files(ROOT))
    print(outcome.stdout, end="")
    print(outcome.stderr, end="", file=sys.stderr)
    return outcome.returncode


def tracked_files(repository: Path) -> list[Path]:
    """The files of the work tree that Git tracks; one that was removed is left out."""
    listed = subprocess.run(
        ["git", "-C", repository, "ls-files", "-z"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    files = (repository / name for name in listed.split("\0") if name)
    return [file for file in files if file.is_file()]


def scan(files: Iterable[Path]) -> "subprocess.CompletedProcess[str]":
    """Runs kingfisher. Its exit code is `CLEAN`, `FOUND`, or that of a failure."""
    return subprocess.run(
        ["kingfisher", "scan", *_OFFLINE, *files], capture_output=True, text=True, check=False, timeout=SECONDS_MAX
    )


if __name__ == "__main__":
    sys.exit(main())
