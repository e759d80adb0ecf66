"""Fixtures of calendars on a real PostgreSQL: accounts with documents that were read, and a clock that tests set."""

import datetime as dt
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg.types.json import Jsonb

from upschedule.calendars.feeds import FeedService
from upschedule.calendars.model import CalendarOptions
from upschedule.calendars.service import CalendarService
from upschedule.settings import LimitSettings
from upschedule.stores.database import Database, PoolOptions
from upschedule.timetable.event import Event

PUBLIC_URL = "https://example.test"
OPTIONS = CalendarOptions(public_url=PUBLIC_URL, uid_domain="upschedule.app", exam_minutes=180, cancelled_days=30)
SECRET = "a secret of the tests, long enough"
LIMITS = LimitSettings(calendars_per_account=3, events_per_calendar=50)


class Clock:
    """A clock with the time that the test sets."""

    def __init__(self) -> None:
        self.time = dt.datetime(2026, 2, 2, 10, 0, 0, 123456, tzinfo=dt.UTC)

    def now(self) -> dt.datetime:
        return self.time

    def pass_days(self, days: int) -> None:
        self.time += dt.timedelta(days=days)


class Campus:
    """Creates accounts and jobs whose reading has ended, with the rows that processing leaves."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def execute(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._dsn) as connection:
            cursor = connection.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def account(self) -> uuid.UUID:
        return uuid.UUID(str(self.execute("INSERT INTO accounts DEFAULT VALUES RETURNING id")[0][0]))

    def job(self, account_id: uuid.UUID, events: Sequence[Event], *, warnings: Sequence[object] = ()) -> uuid.UUID:
        job_id = uuid.uuid4()
        self.execute(
            "INSERT INTO jobs (id, account_id, sha256, file_name, size_bytes, status, pages, warnings, finished_at) "
            "VALUES (%s, %s, %s, 'a.pdf', 1, 'completed', 1, %s, clock_timestamp())",
            job_id, account_id, job_id.bytes, Jsonb(list(warnings)),
        )  # fmt: skip
        self.print(job_id, events)
        return job_id

    def print(self, job_id: uuid.UUID, events: Sequence[Event]) -> None:
        """Stores events as a reading does. Those of an earlier reading are deleted."""
        self.execute("DELETE FROM events WHERE job_id = %s", job_id)
        for ordinal, event in enumerate(events):
            body = Jsonb(msgspec.to_builtins(event))
            self.execute("INSERT INTO events (job_id, ordinal, body) VALUES (%s, %s, %s)", job_id, ordinal, body)
        self.execute("UPDATE jobs SET finished_at = clock_timestamp() WHERE id = %s", job_id)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def campus(postgres_dsn: str) -> Campus:
    return Campus(postgres_dsn)


@pytest.fixture
async def store(postgres_dsn: str) -> AsyncIterator[Database]:
    options = PoolOptions(
        size_min=1, size_max=8, waiting_max=50, wait_seconds=10, statement_seconds=10, connect_seconds=5
    )
    database = Database(postgres_dsn, options)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def calendars(store: Database, clock: Clock) -> CalendarService:
    return CalendarService(store, OPTIONS, feed_secret=SECRET, new_id=uuid.uuid4, now=clock.now)


@pytest.fixture
def feeds(store: Database, clock: Clock) -> FeedService:
    return FeedService(store, OPTIONS, now=clock.now)
