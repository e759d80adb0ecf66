"""Brings `.venv` to what uv.lock names, one process at a time."""

import csv
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from tools.installation import uv
from tools.installation.download import has_authorities
from tools.installation.errors import NETWORK_ADVICE, InstallationError
from tools.installation.package_index import configured_index
from tools.installation.progress import InstallProgress

TITLE = "Installing the Python packages that uv.lock names"
LOCK_SECONDS = 1800.0
LOCK_PAUSE_SECONDS = 0.2
UNITS = {"KiB": 1024 / 1e6, "MiB": 1024**2 / 1e6, "GiB": 1024**3 / 1e6}
DOWNLOADING = re.compile(r"^\s*Downloading (\S+) \(([\d.]+)([KMG]iB)\)")
DOWNLOADED = re.compile(r"^\s*Downloaded (\S+)")
INSTALLED = re.compile(r"^Installed (\d+) packages?")
WORKING = re.compile(r"^\s*(Building|Built|Prepared)\b")
ROUTINE = re.compile(r"^( [+~-] |Using |Creating |Bytecode |Audited |Checked |Resolved )")
UNREACHABLE = re.compile(r"Failed to (fetch|download)|error sending request|dns error|Failed to connect", re.IGNORECASE)


def synchronise(root: Path, group: str) -> None:
    """Raises InstallationError, OSError."""
    index = configured_index(os.environ)
    if index:
        # Programs that the command starts, such as the packing of a release, use the same index.
        os.environ["UV_DEFAULT_INDEX"] = index
    progress = InstallProgress(TITLE, sys.stdout)
    tools = root / ".tools"
    tools.mkdir(exist_ok=True)
    with exclusive(tools / "lock") as lock:
        program = uv.find(tools)
        if not program:
            progress.show("uv")
            try:
                program = uv.install(root / "uv.lock", tools, index, progress.show)
            except InstallationError:
                progress.leave()
                raise
        environment = root / ".venv"
        unfinished = tools / "unfinished"
        if unfinished.exists():
            remove_incomplete(environment)
        unfinished.touch()
        remove_unusable(environment)
        installer = Installer(root=root, group=group, program=program, environment=environment, held=lock)
        installer.run(index, progress)
        unfinished.unlink()


@dataclass(kw_only=True)
class Installer:
    """Runs uv. `held` is the open lock file: uv keeps it when this process is killed."""

    root: Path
    group: str
    program: Path
    environment: Path
    held: TextIO
    _sizes: dict[str, float] = field(default_factory=dict[str, float])
    _fetched: set[str] = field(default_factory=set[str])
    _installed: int = 0

    def run(self, index: str | None, progress: InstallProgress) -> None:
        for command in self._from_index() if index else self._from_lock():
            self._uv(command, progress)
        progress.finish(f"Installed {self._installed} package{'' if self._installed == 1 else 's'}")

    def _from_lock(self) -> Iterator[Sequence[str | Path]]:
        # A smaller group leaves what a larger one has installed; the interpreter of an existing environment stays.
        new = [] if self.environment.exists() else ["--python", sys.executable]
        chosen = ("--no-default-groups", "--group", self.group, "--inexact", "--compile-bytecode")
        yield ["sync", "--frozen", "--project", self.root, *chosen, *new]

    def _from_index(self) -> Iterator[Sequence[str | Path]]:
        """uv.lock names PyPI's own files, and `uv sync` fetches those: by hash they may come from any index."""
        if not self.environment.exists():
            yield ["venv", "--python", sys.executable, self.environment]
        wanted = self.root / ".tools" / f"requirements-{self.group}.txt"
        chosen = ("--no-default-groups", "--group", self.group, "--no-emit-project", "--quiet")
        yield ["export", "--frozen", "--project", self.root, *chosen, "--output-file", wanted]
        into = ("--python", self.environment / "bin" / "python", "--no-deps", "--compile-bytecode")
        yield ["pip", "install", *into, "--require-hashes", "--requirements", wanted]
        if not self._project_is_installed():
            yield ["pip", "install", *into, "--editable", self.root]

    def _project_is_installed(self) -> bool:
        """Since its metadata last changed: installing it needs the network, for what builds it."""
        changed = (self.root / "pyproject.toml").stat().st_mtime
        found = self.environment.glob("lib/python*/site-packages/upschedule-*.dist-info/direct_url.json")
        return any(file.stat().st_mtime > changed for file in found)

    def _uv(self, arguments: Sequence[str | Path], progress: InstallProgress) -> None:
        """Raises InstallationError with uv's own words printed before."""
        with subprocess.Popen(
            [self.program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=_environment(self.environment),
            pass_fds=[self.held.fileno()],
        ) as running:
            assert running.stderr  # noqa: S101 - it is a pipe
            said = [line for line in running.stderr if self._note(line, progress)]
        if running.returncode != 0:
            progress.leave()
            sys.stderr.writelines(said)
            advice = f" {NETWORK_ADVICE}" if UNREACHABLE.search("".join(said)) else ""
            raise InstallationError(f"The installation failed: see above.{advice}")

    def _note(self, line: str, progress: InstallProgress) -> bool:
        """Whether the line is worth printing when uv fails."""
        if match := DOWNLOADING.match(line):
            self._sizes[match[1]] = float(match[2]) * UNITS[match[3]]
        elif match := DOWNLOADED.match(line):
            self._fetched.add(match[1])
        elif match := INSTALLED.match(line):
            self._installed += int(match[1])
            progress.show(f"{match[1]} packages, compiling")
            return False
        elif not WORKING.match(line):
            return not ROUTINE.match(line)
        fetched = sum(size for name, size in self._sizes.items() if name in self._fetched)
        progress.show(f"{fetched:.0f} of {sum(self._sizes.values()):.0f} MB" if self._sizes else "")
        return False


@contextmanager
def exclusive(path: Path) -> Generator[TextIO]:
    """Hold the lock; the kernel frees it when its holders have ended. Raises InstallationError."""
    with path.open("w", encoding="utf-8") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise InstallationError(
                        f"Another installation has held {path} for {LOCK_SECONDS:.0f} s. End it, then run again."
                    ) from None
            if not waiting:
                print("Another installation runs in this folder: waiting for it …", flush=True)
                waiting = True
            time.sleep(LOCK_PAUSE_SECONDS)
        yield file


def remove_unusable(environment: Path) -> None:
    """An environment whose interpreter has gone, or that was begun and not finished, is made anew."""
    python = environment / "bin" / "python"
    if not environment.exists():
        return
    try:
        works = subprocess.run([python, "-c", ""], capture_output=True, check=False, timeout=60).returncode == 0
    except OSError:
        works = False
    if not works:
        shutil.rmtree(environment)


def remove_incomplete(environment: Path) -> None:
    """Forget packages of which files are missing, so that uv installs them again: the last installation was ended."""
    for information in environment.glob("lib/python*/site-packages/*.dist-info"):
        if not _complete(information):
            shutil.rmtree(information)


def _complete(information: Path) -> bool:
    record = information / "RECORD"
    if not record.exists():
        return False
    with record.open(encoding="utf-8", newline="") as file:
        for name, _, size in csv.reader(file):
            path = information.parent / name
            if not path.exists() or (size and path.stat().st_size != int(size)):
                return False
    return True


def _environment(target: Path) -> Mapping[str, str]:
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_PROJECT_ENVIRONMENT": str(target)}
    # An authority that was added to the machine's own store counts for uv as it does for Python.
    if has_authorities():
        environment.setdefault("UV_SYSTEM_CERTS", "1")
    return environment
