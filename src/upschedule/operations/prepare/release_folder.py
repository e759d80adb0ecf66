"""Reads the folder of an unpacked release."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from upschedule.operations.migration.files import Migration, read_migrations
from upschedule.operations.prepare.errors import NotARelease
from upschedule.operations.release.manifest import ReleaseLabel


@dataclass(frozen=True, kw_only=True)
class UnpackedRelease:
    """`migrations` are all migrations of the release, in order."""

    version: str
    migrations: list[Migration]

    @property
    def level(self) -> int:
        """The number of its last migration."""
        return self.migrations[-1].number


def read_release(folder: Path) -> UnpackedRelease:
    """Raises NotARelease, MigrationFilesInvalid."""
    try:
        label = msgspec.json.decode((folder / "RELEASE").read_bytes(), type=ReleaseLabel)
    except (OSError, msgspec.DecodeError) as error:
        raise NotARelease(str(folder)) from error
    return UnpackedRelease(version=label.version, migrations=read_migrations(folder / "migrations"))
