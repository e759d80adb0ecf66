"""Files that calendar programs read: the feed by its secret address, and the owner's download."""

import asyncio
import datetime as dt
import hashlib
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote
from uuid import UUID

import msgspec

from upschedule.calendars.assembly import Assembly
from upschedule.calendars.errors import CalendarNotFound, FeedNotFound
from upschedule.calendars.making import FileOptions, basis_of, download_file, feed_file, renew
from upschedule.calendars.model import Snapshot
from upschedule.calendars.publish import EntryRecord
from upschedule.calendars.records import RecordRepository, changed, forget_old, outdated
from upschedule.calendars.repository import CalendarRepository
from upschedule.calendars.service import feed_url
from upschedule.calendars.sources import SourceRepository
from upschedule.calendars.tokens import token_hash
from upschedule.stores.database import Connection, Database
from upschedule.timetable.icalendar import with_source

#: Of one pass.
_CALENDARS_MAX = 50
_ENTRIES_MAX = 5000


class CalendarFile(msgspec.Struct, frozen=True, kw_only=True):
    """Read back and found right before it got here. `etag` as in the header."""

    body: bytes
    etag: str


class FeedService:
    """Every method may raise StoreError. A file is made again only when something that it is made of has changed."""

    def __init__(self, database: Database, options: FileOptions, *, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._options = options
        self._now = now

    async def feed(self, token: str, *, module: str = "") -> CalendarFile:
        """All modules, or one. Raises FeedNotFound."""
        async with self._database.transaction() as connection:
            snapshot = await CalendarRepository(connection).by_token(token_hash(token))
            if snapshot is None:
                raise FeedNotFound
            kept = await self._kept(connection, snapshot, module)
        body = kept or await self._made(snapshot.calendar.id, module)
        address = feed_url(self._options.public_url, token)
        return _file(with_source(body, f"{address}?module={quote(module)}" if module else address))

    async def download(self, account_id: UUID, calendar_id: UUID) -> CalendarFile:
        """With what was removed lately, as cancelled. Raises CalendarNotFound."""
        async with self._database.transaction() as connection:
            calendars = CalendarRepository(connection)
            owned = await calendars.owned(account_id, calendar_id)
            snapshot = await calendars.locked(calendar_id) if owned else None
            if snapshot is None:
                raise CalendarNotFound
            assembly, records = await self._renewed(connection, snapshot)
            arguments = (assembly, records.values(), self._options)
            return _file(await asyncio.to_thread(download_file, *arguments, now=self._now()))

    async def forget_removed(self) -> None:
        """One bounded pass: what a deleted document left becomes cancelled, and in time is gone.

        For the worker, every so often: nobody has to fetch a feed for it to happen.
        """
        async with self._database.transaction() as connection:
            waiting = await outdated(connection, rows_max=_CALENDARS_MAX)
        for calendar_id in waiting:
            with suppress(FeedNotFound):
                await self._made(calendar_id, "")
        before = self._now() - dt.timedelta(days=self._options.cancelled_days)
        async with self._database.transaction() as connection:
            await forget_old(connection, cancelled_before=before, rows_max=_ENTRIES_MAX)

    async def _kept(self, connection: Connection, snapshot: Snapshot, module: str) -> bytes | None:
        basis = basis_of(snapshot, self._options)
        return await RecordRepository(connection, snapshot.calendar.id).kept(module, basis)

    async def _made(self, calendar_id: UUID, module: str) -> bytes:
        """Whoever comes second waits for the lock, and finds the file of whoever came first."""
        async with self._database.transaction() as connection:
            snapshot = await CalendarRepository(connection).locked(calendar_id)
            if snapshot is None:
                raise FeedNotFound
            if kept := await self._kept(connection, snapshot, module):
                return kept
            assembly, records = await self._renewed(connection, snapshot)
            arguments = (assembly, records.values(), self._options)
            body = await asyncio.to_thread(feed_file, *arguments, module=module)
            # Anybody can ask for modules that there are not; those are not kept.
            if not module or any(record.body.module == module for record in records.values()):
                basis = basis_of(snapshot, self._options)
                await RecordRepository(connection, calendar_id).keep(basis, {module: body})
            return body

    async def _renewed(self, connection: Connection, snapshot: Snapshot) -> tuple[Assembly, dict[str, EntryRecord]]:
        """Brings the entries' records up to date. The calendar is locked."""
        job_ids = [job_id for job_id, _ in snapshot.documents]
        documents = await SourceRepository(connection).documents(job_ids)
        assembly = Assembly(snapshot.calendar, snapshot.known, documents, exam_minutes=self._options.exam_minutes)
        kept, now = RecordRepository(connection, snapshot.calendar.id), self._now()
        previous = await kept.entries()
        records = await asyncio.to_thread(renew, assembly, previous, self._options, now=now)
        await kept.say(changed(previous, records))
        await kept.forget(cancelled_before=now - dt.timedelta(days=self._options.cancelled_days))
        return assembly, records


def _file(body: bytes) -> CalendarFile:
    return CalendarFile(body=body, etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"')
