"""Publishes a calendar: builds its file without locks, then stores file and records if nothing changed meanwhile."""

import asyncio
import datetime as dt
from collections.abc import Callable, Collection, Mapping
from uuid import UUID

import msgspec
import structlog

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.build import basis_of, build_records
from upschedule.calendars.errors import CalendarBusy, CalendarNotFound
from upschedule.calendars.model import CalendarOptions
from upschedule.calendars.records import RecordRepository
from upschedule.calendars.repository import CalendarRepository
from upschedule.calendars.sequence import EntryRecord
from upschedule.calendars.sources import SourceRepository
from upschedule.stores.database import Connection, Database
from upschedule.stores.errors import StoreFull

BuildFile = Callable[[CalendarAssembly, Collection[EntryRecord]], bytes]

#: A calendar that changes during each of these attempts is refused with CalendarBusy.
_ATTEMPTS = 4
#: Building is CPU work: more builds at once would only slow each other down.
_CONCURRENT_BUILDS = 2

_log = structlog.stdlib.get_logger(__name__)


class _Draft(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of a build, and the records before it."""

    calendar_id: UUID
    basis: bytes
    assembly: CalendarAssembly
    previous: Mapping[str, EntryRecord]


class FeedPublisher:
    """One instance for the process, since it bounds the concurrent builds."""

    def __init__(self, database: Database, options: CalendarOptions, *, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._options = options
        self._now = now
        self._builds = asyncio.Semaphore(_CONCURRENT_BUILDS)

    async def publish(self, calendar_id: UUID, build_file: BuildFile, *, cache_as: str | None = None) -> bytes:
        """The built file.

        With `cache_as`, a module's name or empty for all modules, the file is cached, and a file that another request
        has cached meanwhile is returned instead. Raises CalendarNotFound, CalendarBusy.
        """
        async with self._builds:
            for _ in range(_ATTEMPTS):
                draft = await self._draft(calendar_id, cache_as)
                if isinstance(draft, bytes):
                    return draft
                records, body = await asyncio.to_thread(self._build, draft, build_file)
                try:
                    if await self._store(draft, records, body, cache_as):
                        return body
                except StoreFull:
                    # A calendar program must not wait for disk space: the next request builds the same file.
                    _log.warning("calendar_not_recorded", calendar_id=str(calendar_id))
                    return body
        raise CalendarBusy

    async def _draft(self, calendar_id: UUID, cache_as: str | None) -> _Draft | bytes:
        async with self._database.transaction() as connection:
            inputs = await CalendarRepository(connection).by_id(calendar_id)
            if inputs is None:
                raise CalendarNotFound
            basis, records = basis_of(inputs, self._options), RecordRepository(connection, calendar_id)
            if cache_as is not None and (cached := await records.cached_file(cache_as, basis)):
                return cached
            documents = await SourceRepository(connection).documents(inputs.job_ids)
            assembly = CalendarAssembly(
                inputs.calendar,
                inputs.known,
                documents,
                exam_minutes=self._options.exam_minutes,
                estimate=inputs.estimate,
                replaced=inputs.replaced,
            )
            return _Draft(calendar_id=calendar_id, basis=basis, assembly=assembly, previous=await records.entries())

    def _build(self, draft: _Draft, build_file: BuildFile) -> tuple[dict[str, EntryRecord], bytes]:
        records = build_records(draft.assembly, draft.previous, self._options, now=self._now())
        return records, build_file(draft.assembly, records.values())

    async def _store(self, draft: _Draft, records: dict[str, EntryRecord], body: bytes, cache_as: str | None) -> bool:
        """False if the calendar has changed since the draft: then the file must be built again."""
        async with self._database.transaction() as connection:
            if not await self._is_current(connection, draft):
                return False
            repository = RecordRepository(connection, draft.calendar_id)
            changed = [record for uid, record in records.items() if draft.previous.get(uid) != record]
            await repository.upsert_entries(changed)
            await repository.delete_cancelled(before=self._now() - dt.timedelta(days=self._options.cancelled_days))
            if cache_as is not None:
                await repository.store_file(cache_as, draft.basis, body)
            return True

    async def _is_current(self, connection: Connection, draft: _Draft) -> bool:
        """Locks the calendar, so that the answer holds until the end of the transaction."""
        inputs = await CalendarRepository(connection).by_id_for_update(draft.calendar_id)
        if inputs is None or basis_of(inputs, self._options) != draft.basis:
            return False
        return await RecordRepository(connection, draft.calendar_id).entries() == draft.previous
