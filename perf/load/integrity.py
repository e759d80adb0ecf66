"""Checks the data after a load, in the database and the object store and not through the service (R7.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import dict_row

from upschedule.processing.retention import ORPHAN_SECONDS
from upschedule.stores.bucket import StoredObject

#: One row: what must be 0 is named so.
_CHECKS = """
    WITH accepted AS (SELECT unnest(%(accepted)s::uuid[]) AS id),
         known AS (SELECT accepted.id, jobs.* FROM accepted LEFT JOIN jobs USING (id))
    SELECT (SELECT count(*) FROM known WHERE status IS NULL) AS lost,
           (SELECT count(*) FROM jobs WHERE status NOT IN ('completed', 'failed')) AS unfinished,
           (SELECT count(*) FROM jobs WHERE status = 'failed' AND error IS NULL) AS failed_without_reason,
           (SELECT count(*) FROM jobs WHERE status = 'completed'
               AND NOT EXISTS (SELECT FROM events WHERE events.job_id = jobs.id)) AS completed_without_events,
           (SELECT count(*) FROM accounts WHERE stored_bytes <> (SELECT coalesce(sum(size_bytes), 0) FROM jobs
               WHERE jobs.account_id = accounts.id AND object_key IS NOT NULL)) AS wrong_quotas,
           (SELECT count(*) FROM jobs WHERE attempt > 1) AS read_more_than_once,
           (SELECT count(*) FROM known WHERE status = 'failed') AS failed,
           (SELECT count(*) FROM jobs) AS jobs
"""
_KEYS = "SELECT object_key FROM jobs WHERE object_key IS NOT NULL"
_UNREACHABLE = "database_unreachable"
MUST_BE_ZERO = (
    _UNREACHABLE,
    "lost",
    "unfinished",
    "failed_without_reason",
    "completed_without_events",
    "wrong_quotas",
    "rows_without_object",
    "objects_without_row",
)
#: After `ORPHAN_SECONDS`, until the retention must have removed an object without a row.
CLEAN_UP_SECONDS = 3600


@dataclass(frozen=True)
class Integrity:
    """Numbers by what they count; those of MUST_BE_ZERO are faults."""

    counts: dict[str, int]

    @property
    def faults(self) -> dict[str, int]:
        return {name: self.counts[name] for name in MUST_BE_ZERO if self.counts.get(name)}


def unreachable() -> Integrity:
    """The data could not be looked at: the service was not there any more when the load had ended."""
    return Integrity({_UNREACHABLE: 1})


def unfinished(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    """Jobs that are queued or read."""
    row = connection.execute("SELECT count(*) FROM jobs WHERE status NOT IN ('completed', 'failed')").fetchone()
    assert row is not None
    return int(str(row[0]))


def check(
    connection: psycopg.Connection[tuple[object, ...]],
    accepted: Sequence[str],
    *,
    objects: Sequence[StoredObject],
    now: datetime,
) -> Integrity:
    """`accepted` are the ids of the jobs whose uploads the service has taken; `objects` are all uploaded files.

    An upload that ends halfway may leave an object without a row, which the retention removes. It is a fault only once
    the retention is late.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_CHECKS, {"accepted": list(accepted)}).fetchone()
    assert row is not None
    counts = {name: int(value) for name, value in row.items()}
    keys = {str(key) for (key,) in connection.execute(_KEYS)}
    stored = {each.key: each.modified_at for each in objects}
    removed_by = timedelta(seconds=ORPHAN_SECONDS + CLEAN_UP_SECONDS)
    counts["rows_without_object"] = len(keys - stored.keys())
    counts["objects_without_row"] = sum(now - stored[key] > removed_by for key in stored.keys() - keys)
    counts["objects_to_be_removed"] = len(stored.keys() - keys) - counts["objects_without_row"]
    return Integrity(counts)
