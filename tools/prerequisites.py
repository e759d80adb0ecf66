"""Finds what the tests need from the system; as root it installs what is missing by apt, otherwise it says how.

`python3 -m tools.prerequisites PART …`, where PART is a key of PARTS. Nothing is printed where all is there.
"""

import ctypes
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

ANSWER_SECONDS = 60
UPDATE_SECONDS = 600
INSTALL_SECONDS = 1800
# The first is the same engine without windows: a test of a page takes half as much processor time in it.
CHROMIUMS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
)
CREATE_CLUSTER = Path("/etc/postgresql-common/createcluster.conf")
APT = ("apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq")


@dataclass(frozen=True, kw_only=True)
class Prerequisite:
    """`package` is Debian's name."""

    package: str
    present: Callable[[], object]


def _command(name: str) -> Callable[[], object]:
    return lambda: shutil.which(name)


def _path(path: str) -> Callable[[], object]:
    return Path(path).exists


def _library(name: str) -> Callable[[], object]:
    def loads() -> bool:
        try:
            ctypes.CDLL(name)
        except OSError:
            return False
        return True

    return loads


def find_chromium() -> str | None:
    """The system's, or the newest that playwright downloaded; only one that can be run."""
    candidates = [*map(shutil.which, CHROMIUMS), *map(str, _downloaded_chromiums())]
    return next((program for program in candidates if program and _answers(program, "--version")), None)


def _downloaded_chromiums() -> list[Path]:
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or "~/.cache/ms-playwright").expanduser()
    try:
        found = list(folder.glob("chromium-[0-9]*/chrome-linux*/chrome"))
    except PermissionError:
        return []
    # The newest first, by the number of its folder.
    return sorted(found, key=lambda file: int(file.parts[-3].rpartition("-")[2]), reverse=True)


CHROMIUM = Prerequisite(package="chromium-headless-shell", present=find_chromium)
# The driver that comes with playwright is linked to it.
LIBATOMIC = Prerequisite(package="libatomic1", present=_library("libatomic.so.1"))
POSTGRESQL = Prerequisite(package="postgresql-15", present=_path("/usr/lib/postgresql/15/bin/postgres"))
OPENSSL = Prerequisite(package="openssl", present=_command("openssl"))
GIT = Prerequisite(package="git", present=_command("git"))

PARTS = {
    # What `make test` needs beside the packages of uv.lock.
    "test": (
        CHROMIUM,
        LIBATOMIC,
        Prerequisite(package="fonts-liberation", present=_path("/usr/share/fonts/truetype/liberation")),
        POSTGRESQL,
        GIT,
        OPENSSL,
    ),
    # What the tests of the cluster need beside that. Go is looked for where something must be built.
    "cluster": (
        Prerequisite(package="gcc", present=_command("gcc")),
        Prerequisite(package="libc6-dev", present=_path("/usr/include/stdlib.h")),
        Prerequisite(package="pebble", present=_command("pebble")),
        Prerequisite(package="pgbackrest", present=_path("/usr/bin/pgbackrest")),
        Prerequisite(package="pgbouncer", present=_path("/usr/sbin/pgbouncer")),
        Prerequisite(package="prometheus", present=_command("prometheus")),
        Prerequisite(package="prometheus-alertmanager", present=_command("prometheus-alertmanager")),
        *(
            Prerequisite(package=f"prometheus-{name}-exporter", present=_command(f"prometheus-{name}-exporter"))
            for name in ("blackbox", "node", "postgres", "redis")
        ),
        *(
            Prerequisite(package=f"python3-{name}", present=_path(f"/usr/lib/python3/dist-packages/{file}"))
            for name, file in {"prometheus-client": "prometheus_client", "psycopg2": "psycopg2"}.items()
        ),
        Prerequisite(package="python3.11", present=_path("/usr/bin/python3.11")),
        Prerequisite(package="rsyslog", present=_path("/usr/sbin/rsyslogd")),
        Prerequisite(package="rsyslog-gnutls", present=_path("/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so")),
    ),
    "fresh_machine": (Prerequisite(package="debootstrap", present=_path("/usr/sbin/debootstrap")),),
}


class PrerequisitesMissingError(Exception):
    """Its text holds the command that installs what is missing."""


def main(*parts: str) -> int:
    """0 where everything is there, 1 where something is missing and cannot be installed."""
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        print(f"usage: python3 -m tools.prerequisites {{{','.join(PARTS)}}} …", file=sys.stderr)
        return 2
    try:
        ensure(parts)
    except PrerequisitesMissingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def ensure(parts: Sequence[str]) -> None:
    """Raises PrerequisitesMissingError."""
    wanted = missing(need for part in parts for need in PARTS[part])
    if not wanted:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise PrerequisitesMissingError(advice(wanted))
    print(f"Installing Debian packages that the tests need: {', '.join(wanted)} …", flush=True)
    install(wanted)
    if left := missing(need for part in parts for need in PARTS[part]):
        raise PrerequisitesMissingError(f"apt-get installed {', '.join(left)}, but what the tests need is not there.")


def missing(needs: Iterable[Prerequisite]) -> list[str]:
    return [need.package for need in needs if not need.present()]


def advice(packages: Sequence[str]) -> str:
    """One line: what is missing, and the command that installs it."""
    names = shlex.join(packages)
    if shutil.which("apt-get"):
        root = "" if os.geteuid() == 0 else "sudo sh -c " if shutil.which("sudo") else "su -c "
        command = f"apt-get update && apt-get install --yes --no-install-recommends {names}"
        command = f"{root}{shlex.quote(command)}" if root else command
        return f"The tests need {', '.join(packages)}. Install and run again: {command}"
    return f"The tests need what Debian 12 calls {', '.join(packages)}. Install the like here, then run again."


def install(packages: Sequence[str]) -> None:
    """Raises PrerequisitesMissingError."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    steps = (
        ([*APT, "update"], UPDATE_SECONDS),
        ([*APT, "install", "--yes", "--no-install-recommends", *packages], INSTALL_SECONDS),
    )
    with _no_cluster_of_debian() if POSTGRESQL.package in packages else nullcontext():
        for command, seconds in steps:
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    env=environment,
                    timeout=seconds,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise PrerequisitesMissingError(f"`{shlex.join(command)}` took longer than {seconds} s.") from None
            if done.returncode != 0:
                sys.stderr.write(done.stdout + done.stderr)
                raise PrerequisitesMissingError(f"`{shlex.join(command)}` failed: see above. Is there a network?")


@contextmanager
def _no_cluster_of_debian() -> Generator[None]:
    """Debian's package would start a PostgreSQL of its own; the tests start theirs themselves."""
    if CREATE_CLUSTER.exists():
        yield
        return
    # Where this file is there already, the package puts its own beside it under this name.
    packaged = CREATE_CLUSTER.with_name(f"{CREATE_CLUSTER.name}.ucf-dist")
    CREATE_CLUSTER.parent.mkdir(exist_ok=True)
    CREATE_CLUSTER.write_text("create_main_cluster = false\n", encoding="utf-8")
    try:
        yield
    finally:
        if packaged.exists():
            packaged.replace(CREATE_CLUSTER)
        else:
            CREATE_CLUSTER.unlink()


def _answers(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=ANSWER_SECONDS).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
