"""Random passwords, generated once and stored in a file that only its owner may read (R8.2)."""

import os
import secrets
from pathlib import Path

import msgspec


class PasswordFile:
    """A JSON object of name to password."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, name: str) -> str:
        """The password of `name`, generated now if there is none."""
        known = self._read()
        if name not in known:
            known[name] = secrets.token_urlsafe(24)
            write_private(self._path, msgspec.json.encode(known))
        return known[name]

    def all(self) -> dict[str, str]:
        """The passwords that were generated so far, by name."""
        return self._read()

    def _read(self) -> dict[str, str]:
        if not self._path.exists():
            return {}
        return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])


def write_private(path: Path, content: bytes) -> None:
    """Write the file atomically, with mode 0600 from the first byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
