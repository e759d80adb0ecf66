"""Makes a calendar's file and records what it said. The work is done while nothing is locked, then checked."""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

import msgspec
import structlog

from upschedule.calendars.assembly import Assembly
from upschedule.calendars.build import FileOptions, basis_of, renew
from upschedule.calendars.errors import CalendarBusy, CalendarNotFound
from upschedule.calendars.records import RecordRepository, changed
from upschedule.calendars.repository import CalendarRepository
from upschedule.calendars.sequence import EntryRecord
from upschedule.calendars.sources import SourceRepository
from upschedule.stores.database import Connection, Database
from upschedule.stores.errors import StoreFull

Make = Callable[[Assembly, Iterable[EntryRecord]], bytes]

#: A calendar that changes during each of these is refused for the moment.
_ATTEMPTS = 4
#: It is work for the processor: more at once would only make each slower.
_AT_ONCE = 2

_log = structlog.stdlib.get_logger(__name__)


class _Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is made of, and what was said before."""

    calendar_id: UUID
    basis: bytes
    assembly: Assembly
    previous: Mapping[str, EntryRecord]


class Publisher:
    """One for the process."""

    def __init__(self, database: Database, options: FileOptions, *, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._options = options
        self._now = now
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def publish(self, calendar_id: UUID, make: Make, *, keep_as: str | None = None) -> bytes:
        """With `keep_as`, a module or empty for all, the file is kept, and one kept meanwhile is taken instead.

        Raises CalendarNotFound, CalendarBusy.
        """
        async with self._turns:
            for _ in range(_ATTEMPTS):
                draft = await self._draft(calendar_id, keep_as)
                if isinstance(draft, bytes):
                    return draft
                records, body = await asyncio.to_thread(self._work, draft, make)
                try:
                    if await self._record(draft, records, body, keep_as):
                        return body
                except StoreFull:
                    # A calendar program must not wait for room on a disk: the same file is made again next time.
                    _log.warning("calendar_not_recorded", calendar_id=str(calendar_id))
                    return body
        raise CalendarBusy

    async def _draft(self, calendar_id: UUID, keep_as: str | None) -> _Draft | bytes:
        async with self._database.transaction() as connection:
            snapshot = await CalendarRepository(connection).snapshot(calendar_id)
            if snapshot is None:
                raise CalendarNotFound
            basis, records = basis_of(snapshot, self._options), RecordRepository(connection, calendar_id)
            if keep_as is not None and (kept := await records.kept(keep_as, basis)):
                return kept
            documents = await SourceRepository(connection).documents([job_id for job_id, _ in snapshot.documents])
            assembly = Assembly(snapshot.calendar, snapshot.known, documents, exam_minutes=self._options.exam_minutes)
            return _Draft(calendar_id=calendar_id, basis=basis, assembly=assembly, previous=await records.entries())

    def _work(self, draft: _Draft, make: Make) -> tuple[dict[str, EntryRecord], bytes]:
        records = renew(draft.assembly, draft.previous, self._options, now=self._now())
        return records, make(draft.assembly, records.values())

    async def _record(self, draft: _Draft, records: dict[str, EntryRecord], body: bytes, keep_as: str | None) -> bool:
        """False where something has changed since the draft: then it must be made again."""
        async with self._database.transaction() as connection:
            if not await self._holds(connection, draft):
                return False
            kept = RecordRepository(connection, draft.calendar_id)
            await kept.say(changed(draft.previous, records))
            await kept.forget(cancelled_before=self._now() - dt.timedelta(days=self._options.cancelled_days))
            # Anybody can ask for modules that there are not; those are not kept.
            if keep_as is not None and (not keep_as or any(item.body.module == keep_as for item in records.values())):
                await kept.keep(keep_as, draft.basis, body)
            return True

    async def _holds(self, connection: Connection, draft: _Draft) -> bool:
        """Locks the calendar, so that what holds now holds until the end of the transaction."""
        snapshot = await CalendarRepository(connection).locked(draft.calendar_id)
        if snapshot is None or basis_of(snapshot, self._options) != draft.basis:
            return False
        return await RecordRepository(connection, draft.calendar_id).entries() == draft.previous
