"""Stores the rows that students report as read wrongly, for operators. Keeps the file if the student agrees."""

from collections.abc import Callable
from uuid import UUID

import msgspec

from upschedule.metrics import ROWS_REPORTED
from upschedule.processing.repository import JobRepository
from upschedule.stores.database import Database
from upschedule.timetable.event import Event

#: The maximum length of the remark. A longer one is cut.
REMARK_CHARACTERS_MAX = 1000

_INSERT = """
    INSERT INTO row_reports (id, account_id, job_id, reader_version, event, remark, file_until)
    VALUES (%(id)s, %(account_id)s, %(job_id)s, %(reader_version)s, %(event)s, %(remark)s,
            CASE WHEN %(with_file)s THEN now() + %(file_days)s * interval '1 day' END)
"""


class RowReports:
    """The reports that the API receives."""

    def __init__(self, database: Database, *, file_days: float, new_id: Callable[[], UUID]) -> None:
        self._database = database
        self._file_days = file_days
        self._new_id = new_id

    async def add(self, account_id: UUID, job_id: UUID, event: Event, *, remark: str, with_file: bool) -> bool:
        """Stores a report, and returns whether operators get the file, which then stays for `file_days`.

        The owner can delete the file earlier. Raises JobNotFound, AccountNotFound.
        """
        async with self._database.transaction() as connection:
            job = await JobRepository(connection).lock_owned(account_id, job_id)
            gives_file = with_file and job.object_key is not None
            await connection.execute(
                _INSERT,
                {
                    "id": self._new_id(),
                    "account_id": account_id,
                    "job_id": job_id,
                    "reader_version": job.reader_version,
                    "event": msgspec.json.encode(event).decode(),
                    "remark": remark[:REMARK_CHARACTERS_MAX],
                    "with_file": gives_file,
                    "file_days": self._file_days,
                },
            )
        ROWS_REPORTED.labels(file="yes" if gives_file else "no").inc()
        return gives_file
