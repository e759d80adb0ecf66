"""A file that is made while its calendar changes is made again."""

import datetime as dt
import uuid
from collections.abc import Iterable

import pytest

from tests.integration.calendars.conftest import PUBLIC_URL, Campus, Clock
from tests.unit.timetable.makers import exam, lecture
from upschedule.calendars.assembly import Assembly
from upschedule.calendars.build import FileOptions
from upschedule.calendars.errors import CalendarBusy
from upschedule.calendars.feed_publisher import Publisher
from upschedule.calendars.sequence import EntryRecord
from upschedule.calendars.service import CalendarService
from upschedule.stores.database import Database


class Interference:
    """Renames the calendar during the first `times` makings, and names the calendar in the file."""

    def __init__(self, campus: Campus, calendar_id: uuid.UUID, *, times: int) -> None:
        self._campus, self._calendar_id = campus, calendar_id
        self.times, self.made = times, 0

    def make(self, assembly: Assembly, _: Iterable[EntryRecord]) -> bytes:
        self.made += 1
        if self.made <= self.times:
            self._campus.execute("UPDATE calendars SET name = %s WHERE id = %s", f"name {self.made}", self._calendar_id)
        return assembly.calendar.name.encode()


@pytest.fixture
def publisher(store: Database, clock: Clock) -> Publisher:
    options = FileOptions(public_url=PUBLIC_URL, uid_domain="upschedule.app", exam_minutes=180, cancelled_days=30)
    return Publisher(store, options, now=clock.now)


@pytest.fixture
async def calendar_id(calendars: CalendarService, campus: Campus) -> uuid.UUID:
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture(), exam()]),))
    return owned.assembly.calendar.id


async def test_a_change_during_the_making_is_not_lost(
    publisher: Publisher, campus: Campus, calendar_id: uuid.UUID
) -> None:
    interference = Interference(campus, calendar_id, times=2)

    body = await publisher.publish(calendar_id, interference.make, keep_as="")

    assert (body, interference.made) == (b"name 2", 3)
    assert [bytes(row[0]) for row in campus.execute("SELECT body FROM calendar_feeds")] == [b"name 2"]


async def test_a_calendar_that_never_rests_is_refused_for_the_moment(
    publisher: Publisher, campus: Campus, calendar_id: uuid.UUID
) -> None:
    interference = Interference(campus, calendar_id, times=1000)

    with pytest.raises(CalendarBusy):
        await publisher.publish(calendar_id, interference.make, keep_as="")

    assert interference.made < 10
    assert campus.execute("SELECT count(*) FROM calendar_entries") == [(0,)]


async def test_a_kept_file_is_not_made_again(
    publisher: Publisher, campus: Campus, calendar_id: uuid.UUID, clock: Clock
) -> None:
    interference = Interference(campus, calendar_id, times=0)
    first = await publisher.publish(calendar_id, interference.make, keep_as="")
    clock.time += dt.timedelta(days=1)

    assert await publisher.publish(calendar_id, interference.make, keep_as="") == first
    assert interference.made == 1
