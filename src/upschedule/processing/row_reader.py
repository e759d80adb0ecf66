"""Reads the rows of jobs for all watchers of a process together, so that PostgreSQL is asked once and not once each."""

import asyncio
from uuid import UUID

from upschedule.processing.job import Job
from upschedule.processing.repository import JobRepository
from upschedule.stores.database import Database

#: Of one statement. A process has at most some thousand watchers, so a few statements serve all of them.
_ROWS_MAX = 1_000


class RowReader:
    """Questions that arrive within `collect_seconds`, or while an earlier read runs, share a statement.

    A row is never older than the question: a question joins only a read that has not begun.
    """

    def __init__(self, database: Database, *, collect_seconds: float) -> None:
        self._database = database
        self._collect_seconds = collect_seconds
        self._asked: dict[UUID, asyncio.Future[Job | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def get(self, job_id: UUID) -> Job | None:
        """None if there is no such row. Raises StoreError."""
        answer = self._asked.get(job_id)
        if answer is None:
            answer = self._asked[job_id] = asyncio.get_running_loop().create_future()
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all(), name="job-rows")
        # A watcher that leaves must not take the answer from the others.
        return await asyncio.shield(answer)

    async def close(self) -> None:
        """Cancels the read that runs, and with it the questions that are open."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        for answer in self._asked.values():
            answer.cancel()
        self._asked.clear()

    async def _read_all(self) -> None:
        """Until no question is open."""
        try:
            while self._asked:
                await asyncio.sleep(self._collect_seconds)
                taken = dict(list(self._asked.items())[:_ROWS_MAX])
                for job_id in taken:
                    del self._asked[job_id]
                await self._answer(taken)
        finally:
            self._reading = None

    async def _answer(self, asked: dict[UUID, asyncio.Future[Job | None]]) -> None:
        try:
            async with self._database.reading() as connection:
                found = await JobRepository(connection).get_all(list(asked))
        except asyncio.CancelledError:
            for answer in asked.values():
                answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - those who asked raise it
            for answer in asked.values():
                answer.set_exception(error)
                # All who asked may have left meanwhile.
                answer.exception()
        else:
            for job_id, answer in asked.items():
                answer.set_result(found.get(job_id))
