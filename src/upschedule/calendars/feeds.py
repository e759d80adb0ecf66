"""Calendar files: the feed at its secret address, and the owner's download."""

import datetime as dt
import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from urllib.parse import quote
from uuid import UUID

import msgspec

from upschedule.calendars.build import basis_of, build_download, build_feed
from upschedule.calendars.errors import CalendarBusy, CalendarNotFound, FeedNotFound
from upschedule.calendars.feed_publisher import FeedPublisher
from upschedule.calendars.model import CalendarOptions
from upschedule.calendars.records import calendars_without_file, delete_cancelled_entries
from upschedule.calendars.repository import CalendarRepository
from upschedule.calendars.service import feed_url
from upschedule.stores.database import Database
from upschedule.stores.errors import StoreFull
from upschedule.stores.tokens import token_hash
from upschedule.timetable.icalendar import with_source

#: The most that one pass of `publish_outdated` does.
_CALENDARS_MAX = 50
_ENTRIES_MAX = 5000
#: A feed is fetched many times a day; its use is noted once.
_USE_NOTED_AFTER = dt.timedelta(days=1)


class CalendarFile(msgspec.Struct, frozen=True, kw_only=True):
    """A verified file. `etag` is the value of the header."""

    body: bytes
    etag: str


class FeedService:
    """Every method may raise StoreError. A file is built again only when one of its inputs has changed."""

    def __init__(self, database: Database, options: CalendarOptions, *, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._options = options
        self._now = now
        self._publisher = FeedPublisher(database, options, now=now)

    async def feed(self, token: str, *, module: str = "") -> CalendarFile:
        """The feed of all modules, or of one. Raises FeedNotFound, ModuleNotInCalendar, CalendarBusy."""
        async with self._database.reading() as connection:
            found = await CalendarRepository(connection).feed(token_hash(token), module)
        if found is None:
            raise FeedNotFound
        calendar = found.inputs.calendar
        if self._now() - found.used_at > _USE_NOTED_AFTER:
            await self._note_use(calendar.account_id)
        body = found.file
        if body is None or found.basis != basis_of(found.inputs, self._options):
            body = await self._publish_feed(calendar.id, module, found.modules if module else frozenset())
        address = feed_url(self._options.public_url, token)
        return _file(with_source(body, f"{address}?module={quote(module)}" if module else address))

    async def download(self, account_id: UUID, calendar_id: UUID) -> CalendarFile:
        """The file with lately removed entries as cancelled. Raises CalendarNotFound, CalendarBusy."""
        async with self._database.transaction() as connection:
            if await CalendarRepository(connection).owned(account_id, calendar_id) is None:
                raise CalendarNotFound
        build_file = partial(build_download, options=self._options, now=self._now())
        return _file(await self._publisher.publish(calendar_id, build_file))

    async def publish_outdated(self) -> None:
        """One bounded pass: cancels entries of deleted documents, and deletes entries cancelled long ago.

        The scheduler calls it periodically, since a feed may not be fetched for a long time.
        """
        async with self._database.transaction() as connection:
            outdated = await calendars_without_file(connection, rows_max=_CALENDARS_MAX)
        for calendar_id in outdated:
            # A calendar that is busy is left to the next pass; one that was deleted needs nothing.
            with suppress(FeedNotFound, CalendarBusy):
                await self._publish_feed(calendar_id)
        before = self._now() - dt.timedelta(days=self._options.cancelled_days)
        async with self._database.transaction() as connection:
            await delete_cancelled_entries(connection, before=before, rows_max=_ENTRIES_MAX)

    async def _note_use(self, account_id: UUID) -> None:
        # A calendar program must not wait for disk space.
        with suppress(StoreFull):
            async with self._database.transaction() as connection:
                await CalendarRepository(connection).note_use(account_id, self._now())

    async def _publish_feed(
        self, calendar_id: UUID, module: str = "", earlier_modules: frozenset[str] = frozenset()
    ) -> bytes:
        build_file = partial(build_feed, options=self._options, module=module, earlier_modules=earlier_modules)
        try:
            return await self._publisher.publish(calendar_id, build_file, cache_as=module)
        except CalendarNotFound as error:
            raise FeedNotFound from error


def _file(body: bytes) -> CalendarFile:
    return CalendarFile(body=body, etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"')
