"""Random secrets in a file that only its owner can read; each is made on first use (R8.2)."""

import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from upschedule.operations.embedded.passwords import write_private


class Credentials:
    """A JSON object of name to secret."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, str] = json.loads(file.read_bytes()) if file.exists() else {}

    def password(self, name: str) -> str:
        """A password of letters, digits, `-` and `_`, which needs no quoting in a URL or a configuration file."""
        return self._get(name, lambda: secrets.token_urlsafe(32))

    def token(self, name: str) -> str:
        """A UUID, as Consul and Nomad want the secrets of their tokens."""
        return self._get(name, lambda: str(uuid.uuid4()))

    def adopt(self, rotated: Mapping[str, str]) -> None:
        """Stores secrets that were rotated elsewhere, by name."""
        if rotated.items() - self._known.items():
            self._known |= rotated
            self._write()

    def _get(self, name: str, make: Callable[[], str]) -> str:
        if name not in self._known:
            self._known[name] = make()
            self._write()
        return self._known[name]

    def _write(self) -> None:
        write_private(self._file, json.dumps(self._known, indent=2).encode())
