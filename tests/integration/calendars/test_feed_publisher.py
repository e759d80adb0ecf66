"""A file whose calendar changes during the build is built again."""

import datetime as dt
import uuid
from collections.abc import Iterable

import pytest

from tests.integration.calendars.conftest import LIMITS, OPTIONS, Campus, Clock
from tests.support.builders.timetable import exam, lecture
from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.errors import CalendarBusy
from upschedule.calendars.feed_publisher import FeedPublisher
from upschedule.calendars.sequence import EntryRecord
from upschedule.calendars.service import CalendarService
from upschedule.stores.database import Database


class Interference:
    """Renames the calendar during the first `times` builds, and writes its name into the file."""

    def __init__(self, campus: Campus, calendar_id: uuid.UUID, *, times: int) -> None:
        self._campus, self._calendar_id = campus, calendar_id
        self.times, self.builds = times, 0

    def build(self, assembly: CalendarAssembly, _: Iterable[EntryRecord]) -> bytes:
        self.builds += 1
        if self.builds <= self.times:
            self._campus.execute(
                "UPDATE calendars SET name = %s WHERE id = %s", f"name {self.builds}", self._calendar_id
            )
        return assembly.calendar.name.encode()


@pytest.fixture
def publisher(store: Database, clock: Clock) -> FeedPublisher:
    return FeedPublisher(store, OPTIONS, now=clock.now)


@pytest.fixture
async def calendar_id(calendars: CalendarService, campus: Campus) -> uuid.UUID:
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture(), exam()]),), limits=LIMITS)
    return owned.assembly.calendar.id


async def test_a_change_during_the_build_is_not_lost(
    publisher: FeedPublisher, campus: Campus, calendar_id: uuid.UUID
) -> None:
    interference = Interference(campus, calendar_id, times=2)

    body = await publisher.publish(calendar_id, interference.build, cache_as="")

    assert (body, interference.builds) == (b"name 2", 3)
    assert [bytes(row[0]) for row in campus.execute("SELECT body FROM calendar_feeds")] == [b"name 2"]


async def test_a_calendar_that_never_rests_is_refused_for_the_moment(
    publisher: FeedPublisher, campus: Campus, calendar_id: uuid.UUID
) -> None:
    interference = Interference(campus, calendar_id, times=1000)

    with pytest.raises(CalendarBusy):
        await publisher.publish(calendar_id, interference.build, cache_as="")

    assert interference.builds < 10
    assert campus.execute("SELECT count(*) FROM calendar_entries") == [(0,)]


async def test_a_cached_file_is_not_built_again(
    publisher: FeedPublisher, campus: Campus, calendar_id: uuid.UUID, clock: Clock
) -> None:
    interference = Interference(campus, calendar_id, times=0)
    first = await publisher.publish(calendar_id, interference.build, cache_as="")
    clock.time += dt.timedelta(days=1)

    assert await publisher.publish(calendar_id, interference.build, cache_as="") == first
    assert interference.builds == 1
