"""Files that calendar programs read: the feed by its secret address, and the owner's download."""

import datetime as dt
import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from urllib.parse import quote
from uuid import UUID

import msgspec

from upschedule.calendars.build import FileOptions, basis_of, download_file, feed_file
from upschedule.calendars.errors import CalendarBusy, CalendarNotFound, FeedNotFound
from upschedule.calendars.feed_publisher import Publisher
from upschedule.calendars.records import RecordRepository, forget_old, outdated
from upschedule.calendars.repository import CalendarRepository
from upschedule.calendars.service import feed_url
from upschedule.calendars.tokens import token_hash
from upschedule.stores.database import Database
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
        self._publisher = Publisher(database, options, now=now)

    async def feed(self, token: str, *, module: str = "") -> CalendarFile:
        """All modules, or one. Raises FeedNotFound, CalendarBusy."""
        async with self._database.transaction() as connection:
            snapshot = await CalendarRepository(connection).by_token(token_hash(token))
            if snapshot is None:
                raise FeedNotFound
            records = RecordRepository(connection, snapshot.calendar.id)
            kept = await records.kept(module, basis_of(snapshot, self._options))
        body = kept or await self._made(snapshot.calendar.id, module)
        address = feed_url(self._options.public_url, token)
        return _file(with_source(body, f"{address}?module={quote(module)}" if module else address))

    async def download(self, account_id: UUID, calendar_id: UUID) -> CalendarFile:
        """With what was removed lately, as cancelled. Raises CalendarNotFound, CalendarBusy."""
        async with self._database.transaction() as connection:
            if await CalendarRepository(connection).owned(account_id, calendar_id) is None:
                raise CalendarNotFound
        make = partial(download_file, options=self._options, now=self._now())
        return _file(await self._publisher.publish(calendar_id, make))

    async def forget_removed(self) -> None:
        """One bounded pass: what a deleted document left becomes cancelled, and in time is gone.

        For the worker, every so often: nobody has to fetch a feed for it to happen.
        """
        async with self._database.transaction() as connection:
            waiting = await outdated(connection, rows_max=_CALENDARS_MAX)
        for calendar_id in waiting:
            # Deleted meanwhile, or busy: the next pass sees.
            with suppress(FeedNotFound, CalendarBusy):
                await self._made(calendar_id, "")
        before = self._now() - dt.timedelta(days=self._options.cancelled_days)
        async with self._database.transaction() as connection:
            await forget_old(connection, cancelled_before=before, rows_max=_ENTRIES_MAX)

    async def _made(self, calendar_id: UUID, module: str) -> bytes:
        make = partial(feed_file, options=self._options, module=module)
        try:
            return await self._publisher.publish(calendar_id, make, keep_as=module)
        except CalendarNotFound as error:
            raise FeedNotFound from error


def _file(body: bytes) -> CalendarFile:
    return CalendarFile(body=body, etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"')
