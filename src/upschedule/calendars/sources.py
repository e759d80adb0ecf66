"""Reads the events of jobs, which `processing` wrote. Never changes a job."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

import msgspec

from upschedule.calendars.model import Document
from upschedule.stores.database import Connection
from upschedule.timetable.event import Event, ReadingWarning

# A document that is read again keeps its earlier result until the new one replaces it.
_STATUSES = """
    SELECT id, CASE
        WHEN status IN ('queued', 'processing') AND EXISTS (SELECT FROM events WHERE job_id = jobs.id) THEN 'completed'
        ELSE status
    END AS status
    FROM jobs WHERE id = ANY(%(job_ids)s) AND account_id = %(account_id)s
"""
_JOBS = "SELECT id, warnings FROM jobs WHERE id = ANY(%(job_ids)s) ORDER BY created_at, id"
_EVENTS = "SELECT job_id, body FROM events WHERE job_id = ANY(%(job_ids)s) ORDER BY job_id, ordinal"


class SourceRepository:
    """The caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def statuses(self, account_id: UUID, job_ids: Sequence[UUID]) -> dict[UUID, str]:
        """The statuses of those jobs that belong to this owner."""
        cursor = await self._connection.execute(_STATUSES, {"job_ids": list(job_ids), "account_id": account_id})
        return {row["id"]: row["status"] for row in await cursor.fetchall()}

    async def documents(self, job_ids: Sequence[UUID]) -> tuple[Document, ...]:
        """The documents of these jobs, from oldest to newest."""
        values = {"job_ids": list(job_ids)}
        jobs = await (await self._connection.execute(_JOBS, values)).fetchall()
        events: defaultdict[UUID, list[Event]] = defaultdict(list)
        for row in await (await self._connection.execute(_EVENTS, values)).fetchall():
            events[row["job_id"]].append(msgspec.convert(row["body"], Event))
        return tuple(
            Document(
                job_id=job["id"],
                events=tuple(events[job["id"]]),
                warnings=msgspec.convert(job["warnings"], tuple[ReadingWarning, ...]),
            )
            for job in jobs
        )
