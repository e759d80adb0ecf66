"""The table `releases`: written by the owner, read by everybody."""

from collections.abc import Mapping

import psycopg

from upschedule.operations.migration.files import plan
from upschedule.operations.migration.migrate import read_applied
from upschedule.operations.prepare.release_folder import Release

_EXISTS = "SELECT to_regclass('releases') IS NOT NULL"
_LEVELS = "SELECT version, migrations FROM releases"
_MARK = "INSERT INTO releases (version, migrations, backup) VALUES (%s, %s, %s)"


def is_prepared(conn: psycopg.Connection, release: Release) -> bool:
    """Also of an older release that is started again; raises MigrationError if a newer one removed what it needs."""
    plan(release.migrations, read_applied(conn))
    return release.version in read_levels(conn)


def read_levels(conn: psycopg.Connection) -> Mapping[str, int]:
    """Of each release ever prepared here, the number of the last migration that it ships."""
    row = conn.execute(_EXISTS).fetchone()
    return dict(conn.execute(_LEVELS).fetchall()) if row and row[0] else {}


def mark(conn: psycopg.Connection, release: Release, backup: str) -> None:
    """From now on its instances may start."""
    conn.execute(_MARK, [release.version, release.level, backup])
