"""Reads the events of jobs, which `processing` wrote. Never changes a job."""

from collections.abc import Sequence
from uuid import UUID

from upschedule.calendars.model import Document
from upschedule.stores.database import Connection
from upschedule.stores.stored_events import SELECT_RESULTS, decode_events, decode_warnings

# A document that is read again keeps its earlier result until the new one replaces it.
_STATUSES = """
    SELECT id, CASE
        WHEN status IN ('queued', 'processing') AND EXISTS (SELECT FROM events WHERE job_id = jobs.id) THEN 'completed'
        ELSE status
    END AS status
    FROM jobs WHERE id = ANY(%(job_ids)s) AND account_id = %(account_id)s
"""
_DOCUMENTS = SELECT_RESULTS + "WHERE id = ANY(%(job_ids)s) ORDER BY created_at, id"


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
            Document(job_id=row["id"], events=decode_events(row["events"]), warnings=decode_warnings(row["warnings"]))
            for row in await cursor.fetchall()
        )
