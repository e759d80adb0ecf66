"""Reads the events of jobs, which `processing` wrote. Never changes a job."""

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
# The events as one JSON text: psycopg would decode each to objects first, and msgspec then to events.
_DOCUMENTS = """
    SELECT id, warnings::text, (
        SELECT '[' || coalesce(string_agg(body::text, ',' ORDER BY ordinal), '') || ']'
        FROM events WHERE job_id = jobs.id
    ) AS events
    FROM jobs WHERE id = ANY(%(job_ids)s) ORDER BY created_at, id
"""
_decode_events = msgspec.json.Decoder(tuple[Event, ...]).decode
_decode_warnings = msgspec.json.Decoder(tuple[ReadingWarning, ...]).decode


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
        cursor = await self._connection.execute(_DOCUMENTS, {"job_ids": list(job_ids)})
        return tuple(
            Document(job_id=row["id"], events=_decode_events(row["events"]), warnings=_decode_warnings(row["warnings"]))
            for row in await cursor.fetchall()
        )
