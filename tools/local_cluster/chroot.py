"""Builds the file system that tasks see: programs, their libraries, and the files that those read."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tools.local_cluster import users
from tools.local_cluster.errors import ClusterError
from upschedule.operations.embedded.executables import traefik, valkey_server, weed

POSTGRES = Path("/usr/lib/postgresql/15")
# What the jobs' few shell scripts call.
COMMANDS = ("cat", "chmod", "cp", "id", "mkdir", "mv", "rm", "sleep", "test")
DEBIAN = (
    "/usr/bin/python3.11",
    "/usr/lib/python3.11",
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/postgresql/15/lib",
    "/usr/share/postgresql/15",
    "/usr/sbin/pgbouncer",
    "/usr/bin/pgbackrest",
    "/usr/bin/prometheus",
    "/usr/bin/prometheus-alertmanager",
    "/usr/share/prometheus/alertmanager",
    *(f"/usr/bin/prometheus-{name}-exporter" for name in ("postgres", "redis", "node", "blackbox")),
    # The exporter of PgBouncer needs them; psycopg2 brings libpq.
    *(f"/usr/lib/python3/dist-packages/{name}" for name in ("decorator.py", "prometheus_client", "psycopg2")),
    "/usr/share/zoneinfo",
    "/usr/lib/locale/C.utf8",
)
# Linked if they exist.
SYSTEM_FILES = (
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/openssl.cnf",
    "/usr/lib/ssl/openssl.cnf",
)
# A release's wheels load them; ldd cannot find them before a release is packed.
LIBRARIES = (
    "libdl.so.2",
    "libgcc_s.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libseccomp.so.2",
    "libstdc++.so.6",
    "libutil.so.1",
)
IGNORED = shutil.ignore_patterns("test", "idlelib", "turtledemo", "lib2to3", "bitcode", "pgxs", "man")


def chroot_env(folder: Path) -> Mapping[str, str]:
    """The option `chroot_env` of Nomad's client: paths on the node to paths in the task."""
    return {str(entry): f"/{entry.name}" for entry in sorted(folder.iterdir())} if folder.exists() else {}


def make_chroot(folder: Path, cluster_programs: Path) -> None:
    """Builds the tree anew, of hard links where possible. Raises ClusterError with everything that is missing."""
    contents = {path: Path(path) for path in DEBIAN} | {f"/usr/bin/{name}": Path("/bin", name) for name in COMMANDS}
    contents |= other_programs(cluster_programs) | {path: Path(path) for path in SYSTEM_FILES if Path(path).exists()}
    if missing := [str(path) for path in contents.values() if not path.exists()]:
        raise ClusterError(
            f"Tasks need these, which are missing: {', '.join(missing)}. docs/cluster.md lists the packages."
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    for inside, outside in contents.items():
        place(outside, folder / inside.lstrip("/"))
    for path in libraries(list(executables(folder))):
        place(Path(path), folder / path.lstrip("/"))
    write_users(folder / "etc")


def other_programs(cluster_programs: Path) -> dict[str, Path]:
    """Programs that are not Debian's, by the paths at which the jobs expect them."""
    return {
        # A symbolic link would stay one, and point to nothing.
        "/bin/sh": Path("/usr/bin/dash"),
        "/usr/bin/traefik": traefik(),
        "/usr/bin/valkey-server": valkey_server(),
        "/usr/bin/weed": weed(),
        "/usr/bin/nomad-autoscaler": cluster_programs / "nomad-autoscaler",
    }


def place(source: Path, target: Path) -> None:
    """Places a file or a tree, without symbolic links."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=link, ignore=IGNORED)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        link(str(source), str(target))


def link(source: str, target: str) -> None:
    """Makes a hard link, or a copy if the source is another user's or on another file system."""
    real = Path(source).resolve()
    try:
        if real.stat().st_uid == 0:
            os.link(real, target)
            return
    except OSError:
        pass
    shutil.copy2(real, target)


def executables(folder: Path) -> Iterator[Path]:
    """Programs and libraries in the tree, for ldd."""
    for path in folder.rglob("*"):
        if path.is_file() and (path.suffix == ".so" or os.access(path, os.X_OK)):
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def libraries(of: Iterable[Path]) -> set[str]:
    """Paths at which the loader finds the libraries of these programs."""
    listing = subprocess.run(["ldd", *of], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    found = set(re.findall(r"(/\S+) \(0x", listing.stdout))
    cache = subprocess.run(["/sbin/ldconfig", "-p"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in LIBRARIES:
        found |= set(re.findall(rf"^\s{re.escape(name)} \(libc6,x86-64\S*\) => (\S+)", cache, re.MULTILINE))
    return found


def write_users(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "passwd").write_text(users.passwd(), encoding="utf-8")
    (folder / "group").write_text(users.group(), encoding="utf-8")
