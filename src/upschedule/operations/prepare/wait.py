"""Workers and schedulers start after the API's first instance has prepared their release."""

import psycopg

from upschedule.backoff import jittered
from upschedule.operations.migration.migrate import Surroundings
from upschedule.operations.prepare.errors import NotMarked
from upschedule.operations.prepare.ledger import is_prepared
from upschedule.operations.prepare.release_folder import Release

_CONNECT_SECONDS = 5
_POLL_SECONDS = 1.0


def wait_until_prepared(dsn: str, release: Release, *, timeout_seconds: float, surroundings: Surroundings) -> None:
    """With the application's role. Raises NotMarked in the end, MigrationError at once."""
    deadline = surroundings.clock() + timeout_seconds
    while (seen := _look(dsn, release)) is not None:
        if surroundings.clock() > deadline:
            raise NotMarked(release.version, timeout_seconds, seen)
        surroundings.pause(jittered(_POLL_SECONDS, 0.5, surroundings.roll()))


def _look(dsn: str, release: Release) -> str | None:
    """None once it is marked, else what was seen. A connection each time: few, and behind a pooler or not."""
    try:
        # Statements prepared on one server connection are unknown on the next behind PgBouncer's transaction mode.
        with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS, prepare_threshold=None) as connection:
            return None if is_prepared(connection, release) else "there is no mark"
    except psycopg.OperationalError as error:
        return f"the database: {type(error).__name__}"
    except psycopg.errors.InsufficientPrivilege:
        return "the first release has no grants yet"
