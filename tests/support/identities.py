"""Gives a process that a test starts the names and passwords of its own kind.

Tests pass addresses around in which one user may do everything that an application does, since they also play all
processes in one. A real process gets its own instead, as `make run` and the cluster give it.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from upschedule.operations.privileges.identities import Process, role_of

_URL = re.compile(r"//(?P<user>[^:@/]*):(?P<password>[^@]*)@")
_directories: set[Path] = set()


def register(directory: Path) -> None:
    """Registers the folder of a server that stores passwords in it."""
    _directories.add(directory)


def as_process(environment: Mapping[str, str], process: Process) -> dict[str, str]:
    """Secrets that belong to no server of these tests stay as they are."""
    own = dict(environment)
    own["UPSCHEDULE_POSTGRES_URL"] = _renamed(own["UPSCHEDULE_POSTGRES_URL"], role_of(process))
    for name in ("UPSCHEDULE_REDIS_STATE_URL", "UPSCHEDULE_REDIS_CACHE_URL"):
        own[name] = _renamed(own[name], process)
    keys = _beside(own["UPSCHEDULE_OBJECTS_ACCESS_KEY"])
    own["UPSCHEDULE_OBJECTS_ACCESS_KEY"] = keys.get(f"{process}-access", own["UPSCHEDULE_OBJECTS_ACCESS_KEY"])
    own["UPSCHEDULE_OBJECTS_SECRET_KEY"] = keys.get(f"{process}-secret", own["UPSCHEDULE_OBJECTS_SECRET_KEY"])
    if process != "api":
        own.pop("UPSCHEDULE_WEB_FEED_SECRET", None)
    return own


def _renamed(url: str, user: str) -> str:
    found = _URL.search(url)
    known = _beside(found["password"]) if found else {}
    return _URL.sub(f"//{user}:{known[user]}@", url) if user in known else url


def _beside(secret: str) -> dict[str, str]:
    """All secrets of the server that has this one."""
    for directory in _directories:
        file = directory / "passwords.json"
        if file.exists() and secret in (known := msgspec.json.decode(file.read_bytes(), type=dict[str, str])).values():
            return known
    return {}
