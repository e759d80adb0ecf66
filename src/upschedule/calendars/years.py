"""The dates of an academic year as an operator gives them: checked as a whole, then kept in their row."""

import datetime as dt
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta
from psycopg.types.json import Jsonb

from upschedule.calendars.model import KnownYear
from upschedule.calendars.repository import CalendarRepository
from upschedule.stores.database import Database
from upschedule.timetable.academic_year import YearDates
from upschedule.timetable.year_check import check

_KEEP = """
    INSERT INTO academic_years (year, body, source, confirmed, updated_at)
    VALUES (%(year)s, %(dates)s, %(source)s, %(confirmed)s, %(now)s)
    ON CONFLICT (year) DO UPDATE
    SET body = excluded.body, source = excluded.source, confirmed = excluded.confirmed, updated_at = excluded.updated_at
    WHERE (academic_years.body, academic_years.source, academic_years.confirmed)
        IS DISTINCT FROM (excluded.body, excluded.source, excluded.confirmed)
"""


class YearRefused(Exception):
    """These are not the dates of a year; the sentence says why."""


class GivenYear(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`source` is where the dates were read; students see it, and a warning until they are `confirmed`."""

    source: Annotated[str, Meta(min_length=1, max_length=200)]
    confirmed: bool
    dates: YearDates


class YearChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a row said before, None where there was none, and says now."""

    year: int
    old: GivenYear | None
    new: GivenYear


def read_year(name: str, value: bytes) -> tuple[int, GivenYear]:
    """From a year's four digits and JSON. Raises YearRefused."""
    if not (name.isascii() and name.isdecimal()):
        raise YearRefused(f"{name!r} is not a year")
    try:
        given = msgspec.json.decode(value, type=GivenYear)
    except (msgspec.DecodeError, RecursionError) as error:
        raise YearRefused(str(error) or "nested too deeply") from error
    year = int(name[:5])
    wrong = [f"{error.field}: {error.detail}" for error in check(year, given.dates, field="dates")]
    if not given.dates.terms:
        wrong.append("dates.terms: give at least one term")
    if wrong:
        raise YearRefused(" ".join(wrong))
    return year, given


class YearKeeping:
    """One for the process."""

    def __init__(self, database: Database, *, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._now = now

    async def keep(self, year: int, given: GivenYear) -> YearChange | None:
        """None where the row says so already, also since another process was first. Raises StoreError."""
        async with self._database.transaction() as connection:
            before = await CalendarRepository(connection).year(year)
            old = _given(before) if before else None
            if old == given:
                return None
            values = {
                "year": year,
                "dates": Jsonb(msgspec.to_builtins(given.dates)),
                "source": given.source,
                "confirmed": given.confirmed,
                "now": self._now(),
            }
            written = (await connection.execute(_KEEP, values)).rowcount
        return YearChange(year=year, old=old, new=given) if written else None


def _given(known: KnownYear) -> GivenYear:
    return GivenYear(source=known.source, confirmed=known.confirmed, dates=known.dates)
