"""The table `releases`, which only the owner writes and every process reads."""

from collections.abc import Mapping

import psycopg

from upschedule.operations.migration.files import plan
from upschedule.operations.migration.migrate import read_applied
from upschedule.operations.prepare.release_folder import UnpackedRelease

_EXISTS = "SELECT to_regclass('releases') IS NOT NULL"
_LEVELS = "SELECT version, migrations FROM releases"
_MARK = "INSERT INTO releases (version, migrations, backup) VALUES (%s, %s, %s)"


def is_prepared(conn: psycopg.Connection, release: UnpackedRelease) -> bool:
    """Whether this release was prepared. Raises MigrationError if a newer release removed schema that it needs."""
    plan(release.migrations, read_applied(conn))
    return release.version in read_levels(conn)


def read_levels(conn: psycopg.Connection) -> Mapping[str, int]:
    """The number of the last migration of each release that was ever prepared, by version."""
    row = conn.execute(_EXISTS).fetchone()
    return dict(conn.execute(_LEVELS).fetchall()) if row and row[0] else {}


def mark(conn: psycopg.Connection, release: UnpackedRelease, backup: str) -> None:
    """Marks the release prepared: its instances may start."""
    conn.execute(_MARK, [release.version, release.level, backup])
