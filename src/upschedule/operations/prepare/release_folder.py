"""The unpacked release that the command belongs to."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from upschedule.operations.migration.files import Migration, read_migrations
from upschedule.operations.prepare.errors import NotARelease


@dataclass(frozen=True, kw_only=True)
class Release:
    """`migrations` are all that it ships, in order."""

    version: str
    migrations: list[Migration]

    @property
    def level(self) -> int:
        """The number of its last migration."""
        return self.migrations[-1].number


class _Label(msgspec.Struct, frozen=True):
    version: str


def read_release(folder: Path) -> Release:
    """Raises NotARelease, MigrationFilesInvalid."""
    try:
        label = msgspec.json.decode((folder / "RELEASE").read_bytes(), type=_Label)
    except (OSError, msgspec.DecodeError) as error:
        raise NotARelease(str(folder)) from error
    return Release(version=label.version, migrations=read_migrations(folder / "migrations"))
