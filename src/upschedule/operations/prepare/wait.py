"""Waits until the API's first instance has prepared the release: workers and schedulers start after that."""

import psycopg

from upschedule.backoff import jittered
from upschedule.operations.migration.migrate import Timing
from upschedule.operations.prepare.errors import NotMarked
from upschedule.operations.prepare.ledger import is_prepared
from upschedule.operations.prepare.release_folder import UnpackedRelease

_CONNECT_SECONDS = 5
_POLL_SECONDS = 1.0


def wait_until_prepared(dsn: str, release: UnpackedRelease, *, timeout_seconds: float, timing: Timing) -> None:
    """Connects with the application's role. Raises NotMarked after the timeout, and MigrationError at once."""
    deadline = timing.clock() + timeout_seconds
    while (reason := _reason_to_wait(dsn, release)) is not None:
        if timing.clock() > deadline:
            raise NotMarked(release.version, timeout_seconds, reason)
        timing.pause(jittered(_POLL_SECONDS, 0.5, timing.roll()))


def _reason_to_wait(dsn: str, release: UnpackedRelease) -> str | None:
    """None once the release is marked. Opens a connection each time: calls are rare, and it works behind a pooler."""
    try:
        # Statements prepared on one server connection are unknown on the next behind PgBouncer's transaction mode.
        with psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS, prepare_threshold=None) as connection:
            return None if is_prepared(connection, release) else "there is no mark"
    except psycopg.OperationalError as error:
        return f"the database: {type(error).__name__}"
    except psycopg.errors.InsufficientPrivilege:
        return "the first release has no grants yet"
