"""Dates of an academic year from an operator: validates a key's value and stores it in `academic_years`."""

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
from upschedule.timetable.year_validation import find_year_errors

_UPSERT = """
    INSERT INTO academic_years (year, body, source, confirmed, updated_at)
    VALUES (%(year)s, %(dates)s, %(source)s, %(confirmed)s, %(now)s)
    ON CONFLICT (year) DO UPDATE
    SET body = excluded.body, source = excluded.source, confirmed = excluded.confirmed, updated_at = excluded.updated_at
    WHERE (academic_years.body, academic_years.source, academic_years.confirmed)
        IS DISTINCT FROM (excluded.body, excluded.source, excluded.confirmed)
"""


class InvalidAcademicYear(Exception):
    """The value is not the dates of an academic year; the message says why."""


class AcademicYearConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value of an operator's key. Students see `source`, and a warning until the dates are `confirmed`."""

    source: Annotated[str, Meta(min_length=1, max_length=200)]
    confirmed: bool
    dates: YearDates


class AcademicYearChange(msgspec.Struct, frozen=True, kw_only=True):
    """A changed row. `old` is None if there was no row."""

    year: int
    old: AcademicYearConfig | None
    new: AcademicYearConfig


def parse_year(name: str, value: bytes) -> tuple[int, AcademicYearConfig]:
    """Parses a year's four digits and its JSON. Raises InvalidAcademicYear."""
    if not (name.isascii() and name.isdecimal()):
        raise InvalidAcademicYear(f"{name!r} is not a year")
    try:
        config = msgspec.json.decode(value, type=AcademicYearConfig)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidAcademicYear(str(error) or "nested too deeply") from error
    year = int(name[:5])
    wrong = [f"{error.field}: {error.detail}" for error in find_year_errors(year, config.dates, field="dates")]
    if not config.dates.terms:
        wrong.append("dates.terms: give at least one term")
    if wrong:
        raise InvalidAcademicYear(" ".join(wrong))
    return year, config


class AcademicYearStore:
    """Writes rows of `academic_years`."""

    def __init__(self, database: Database, *, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._now = now

    async def upsert(self, year: int, config: AcademicYearConfig) -> AcademicYearChange | None:
        """None if the row is equal already, for example because another process wrote it first. Raises StoreError."""
        async with self._database.transaction() as connection:
            before = await CalendarRepository(connection).year(year)
            old = _config_of(before) if before else None
            if old == config:
                return None
            values = {
                "year": year,
                "dates": Jsonb(msgspec.to_builtins(config.dates)),
                "source": config.source,
                "confirmed": config.confirmed,
                "now": self._now(),
            }
            written = (await connection.execute(_UPSERT, values)).rowcount
        return AcademicYearChange(year=year, old=old, new=config) if written else None


def _config_of(known: KnownYear) -> AcademicYearConfig:
    return AcademicYearConfig(source=known.source, confirmed=known.confirmed, dates=known.dates)
