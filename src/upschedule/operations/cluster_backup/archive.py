"""Waits until PostgreSQL has archived a segment of its write-ahead log."""

import psycopg

from upschedule.backoff import jittered
from upschedule.operations.cluster_backup.errors import NotArchived
from upschedule.operations.migration.migrate import Timing

_LOOK_SECONDS = 0.5
# Names of segments are in the order of the log; those of another timeline are no segment of this server's.
_ARCHIVED = "SELECT last_archived_wal FROM pg_stat_archiver"


def await_archived(connection: psycopg.Connection, segment: str, *, seconds_max: float, timing: Timing) -> None:
    """Raises NotArchived."""
    deadline = timing.clock() + seconds_max
    while True:
        row = connection.execute(_ARCHIVED).fetchone()
        if row and (row[0] or "")[: len(segment)] >= segment:
            return
        if timing.clock() > deadline:
            raise NotArchived(segment, seconds_max)
        timing.pause(jittered(_LOOK_SECONDS, 0.5, timing.roll()))
