"""The SQL of what was read."""

from uuid import UUID

import msgspec

from upschedule.processing.errors import JobNotFound, NotCompleted
from upschedule.processing.job import Status
from upschedule.stores.database import Connection
from upschedule.timetable.event import Event, Extraction, ReadingWarning

_JOB = "SELECT status, pages, warnings FROM jobs WHERE id = %(job_id)s AND account_id = %(account_id)s"
_EVENTS = "SELECT body FROM events WHERE job_id = %(job_id)s ORDER BY ordinal"


async def extraction_of(connection: Connection, account_id: UUID, job_id: UUID) -> Extraction:
    """Raises JobNotFound, NotCompleted."""
    cursor = await connection.execute(_JOB, {"job_id": job_id, "account_id": account_id})
    row = await cursor.fetchone()
    if row is None:
        raise JobNotFound
    if row["status"] != Status.COMPLETED:
        raise NotCompleted
    cursor = await connection.execute(_EVENTS, {"job_id": job_id})
    events = tuple(msgspec.convert(found["body"], Event) for found in await cursor.fetchall())
    warnings = msgspec.convert(row["warnings"], tuple[ReadingWarning, ...])
    return Extraction(events=events, warnings=warnings, pages=row["pages"])
