"""Finds or builds the cluster's programs: `python3 -m tools.cluster.build [--print-path]`, from the repository's root.

A program on PATH in the right version is taken as it is; the others are built from their pinned modules, one after the
other and with the lowest priority, into a cache outside the work tree. `--print-path` prints, once all is there, the
folders to put in front of PATH, and tells of the work on standard error only. Needs nothing but Python, Go and gcc.
"""

import argparse
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

from tools.cluster.pinned_programs import PROGRAMS, CannotPrepareError, Program, cache, version_of
from tools.cluster.plugin_fallback import fallback_folders, language_executor

GO_OLDEST = (1, 26)
# What the largest program adds to the caches of Go and to ours.
GIGABYTES_NEEDED = 4.0
BUILD_SECONDS = 3600


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make cluster-tools", description="Find or build the programs of the cluster."
    )
    parser.add_argument("--print-path", action="store_true", help="print the folders to put in front of PATH")
    chosen = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        try:
            folders = prepare(cache())
        except CannotPrepareError as reason:
            print(reason)
            return 1
    if chosen.print_path:
        print(os.pathsep.join(map(str, folders)))
    return 0


def prepare(folder: Path) -> list[Path]:
    """The folders to search, once every program is in the first of them."""
    began = time.monotonic()
    programs = folder / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        for program in PROGRAMS:
            provide(program, programs)
        language_executor(programs)
    print(f"All programs are in {programs} after {time.monotonic() - began:.1f} s.")
    return [programs, *fallback_folders(programs)]


@contextlib.contextmanager
def locked(path: Path) -> Generator[None]:
    """One build at a time; the kernel frees the lock of a builder that died."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another build holds {path}: waiting for it …", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def provide(program: Program, folder: Path) -> None:
    target = folder / program.name
    if found := installed(program):
        if target.resolve() != found:
            target.unlink(missing_ok=True)
            target.symlink_to(found)
        print(f"{program.name} {program.version}: found at {found}")
    elif not target.is_symlink() and version_of(target) == program.version:
        print(f"{program.name} {program.version}: built before")
    else:
        seconds = build(program, target)
        print(f"{program.name} {program.version}: built in {seconds:.0f} s")


def installed(program: Program) -> Path | None:
    """The one on PATH if its version is right; what an earlier set of pins built does not count."""
    ours = cache().parent.resolve()
    folders = [entry for entry in os.get_exec_path() if ours not in Path(entry).resolve().parents]
    found = shutil.which(program.name, path=os.pathsep.join(folders))
    return Path(found).resolve() if found and version_of(Path(found)) == program.version else None


def build(program: Program, target: Path) -> float:
    ensure_tools(program, target.parent)
    print(f"{program.name} {program.version}: building (minutes) …", flush=True)
    began = time.monotonic()
    unfinished = target.with_suffix(".unfinished")
    target.unlink(missing_ok=True)
    environment = {**os.environ, "CGO_ENABLED": str(int(program.cgo)), "GOWORK": "off"}
    command = ["nice", "-n", "19", *program.command(unfinished)]
    try:
        done = subprocess.run(
            command, cwd=program.folder, env=environment, stdout=sys.stderr, timeout=BUILD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise CannotPrepareError(f"Building {program.name} took longer than {BUILD_SECONDS} s and was ended.") from None
    if done.returncode != 0:
        raise CannotPrepareError(f"{program.name} could not be built: see above (is there a network?).")
    if (reported := version_of(unfinished)) != program.version:
        raise CannotPrepareError(f"{program.name} was built, but says it is {reported}, not {program.version}.")
    unfinished.rename(target)
    return time.monotonic() - began


def ensure_tools(program: Program, folder: Path) -> None:
    """Raises CannotPrepareError before minutes are spent on a build that must fail."""
    wanted = f"{program.name} {program.version} is not on PATH and must be built"
    if not shutil.which("go"):
        raise CannotPrepareError(f"{wanted}, but go is missing. Install Go 1.26 or newer from https://go.dev/dl/.")
    if (found := go_version()) < GO_OLDEST:
        shown = ".".join(map(str, found))
        raise CannotPrepareError(f"{wanted}, but go is {shown}. Install Go 1.26 or newer from https://go.dev/dl/.")
    if program.cgo and not shutil.which("gcc"):
        raise CannotPrepareError(f"{wanted}, but gcc is missing. On Debian: apt install gcc libc6-dev.")
    free = shutil.disk_usage(folder).free / 1e9
    if free < GIGABYTES_NEEDED:
        raise CannotPrepareError(f"{wanted}, but {free:.1f} GB are free at {folder}; {GIGABYTES_NEEDED} GB are needed.")


def go_version() -> tuple[int, ...]:
    """The version of the installed toolchain; Go downloads no other one for this."""
    answer = subprocess.run(
        ["go", "env", "GOVERSION"],
        capture_output=True,
        text=True,
        env={**os.environ, "GOTOOLCHAIN": "local"},
        check=False,
    )
    numbers = answer.stdout.strip().removeprefix("go").split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
