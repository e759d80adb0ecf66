"""The SQL of calendars and academic years.

Locks are taken in one order everywhere, so that none can deadlock: account, job, calendar.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from upschedule.calendars.model import Calendar, CalendarInputs, FeedInputs, KnownYear, Replaced
from upschedule.stores.database import Connection
from upschedule.timetable.academic_year import YearDates
from upschedule.timetable.estimate import Estimate, estimate_terms


class CalendarRepository:
    """The caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    _LOCK_ACCOUNT = "SELECT id FROM accounts WHERE id = %(account_id)s FOR NO KEY UPDATE"

    async def lock_account(self, account_id: UUID) -> None:
        """Call it before creating or changing a calendar of the account, or joining jobs to one."""
        await self._connection.execute(self._LOCK_ACCOUNT, {"account_id": account_id})

    _COUNT = "SELECT count(*) AS count FROM calendars WHERE account_id = %(account_id)s"

    async def count(self, account_id: UUID) -> int:
        row = await self._one(self._COUNT, account_id=account_id)
        return int(row["count"]) if row else 0

    _INSERT = """
        INSERT INTO calendars (id, account_id, name, token_hash, token_generation, academic_year, year_chosen, dates,
                               choices, planning, estimate_dates, feed_open, edits, last_edit, created_at,
                               updated_at)
        VALUES (%(id)s, %(account_id)s, %(name)s, %(token_hash)s, %(token_generation)s, %(academic_year)s,
                %(year_chosen)s, %(dates)s, %(choices)s, %(planning)s, %(estimate_dates)s, %(feed_open)s,
                %(edits)s, %(last_edit)s, %(created_at)s, %(updated_at)s)
    """

    async def insert(self, calendar: Calendar, token_hash: bytes) -> None:
        await self._connection.execute(self._INSERT, _values(calendar, token_hash))

    _UPDATE = """
        UPDATE calendars
        SET name = %(name)s, token_hash = %(token_hash)s, token_generation = %(token_generation)s,
            academic_year = %(academic_year)s, year_chosen = %(year_chosen)s, dates = %(dates)s,
            choices = %(choices)s, planning = %(planning)s, estimate_dates = %(estimate_dates)s,
            feed_open = %(feed_open)s, edits = %(edits)s, last_edit = %(last_edit)s,
            updated_at = %(updated_at)s
        WHERE id = %(id)s
    """

    async def update(self, calendar: Calendar, token_hash: bytes) -> None:
        """Writes all columns that an owner can change."""
        await self._connection.execute(self._UPDATE, _values(calendar, token_hash))

    _CLEAR_JOBS = "DELETE FROM calendar_jobs WHERE calendar_id = %(calendar_id)s AND job_id <> ALL(%(job_ids)s)"
    _JOIN_JOBS = """
        INSERT INTO calendar_jobs (calendar_id, job_id) SELECT %(calendar_id)s, unnest(%(job_ids)s::uuid[])
        ON CONFLICT DO NOTHING
    """

    async def join(self, calendar_id: UUID, job_ids: Sequence[UUID]) -> None:
        """Makes these the only jobs of the calendar."""
        values = {"calendar_id": calendar_id, "job_ids": list(job_ids)}
        await self._connection.execute(self._CLEAR_JOBS, values)
        await self._connection.execute(self._JOIN_JOBS, values)

    _CLEAR_REPLACED = "DELETE FROM calendar_replacements WHERE calendar_id = %(calendar_id)s"
    _REPLACE = """
        INSERT INTO calendar_replacements (calendar_id, job_id, replaced_by)
        SELECT %(calendar_id)s, older, newer
        FROM unnest(%(older)s::uuid[], %(newer)s::uuid[]) AS pairs (older, newer)
        JOIN jobs o ON o.id = older JOIN jobs n ON n.id = newer
    """

    async def replace(self, calendar_id: UUID, replaced: Sequence[Replaced]) -> None:
        """Makes these the only replacements of the calendar, without those of a job that was deleted meanwhile."""
        older, newer = [old for old, _ in replaced], [new for _, new in replaced]
        values = {"calendar_id": calendar_id, "older": older, "newer": newer}
        await self._connection.execute(self._CLEAR_REPLACED, values)
        await self._connection.execute(self._REPLACE, values)

    _ADD_MODULES = """
        UPDATE calendars SET modules = ARRAY(SELECT unnest(modules) UNION SELECT unnest(%(modules)s::text[]) ORDER BY 1)
        WHERE id = %(calendar_id)s AND NOT modules @> %(modules)s::text[]
    """

    async def add_modules(self, calendar_id: UUID, modules: Collection[str]) -> None:
        """Keeps their names for ever, so that a link to one of them stays valid."""
        await self._connection.execute(self._ADD_MODULES, {"calendar_id": calendar_id, "modules": list(modules)})

    _DELETE = "DELETE FROM calendars WHERE id = %(calendar_id)s AND account_id = %(account_id)s"

    async def delete(self, account_id: UUID, calendar_id: UUID) -> bool:
        """False if the calendar does not belong to this owner."""
        values = {"calendar_id": calendar_id, "account_id": account_id}
        return (await self._connection.execute(self._DELETE, values)).rowcount > 0

    # All that CalendarInputs needs but the estimate, in one statement.
    _COLUMNS = """
        SELECT c.*, y.body AS year_dates, y.source AS year_source, y.confirmed AS year_confirmed,
            y.updated_at AS year_updated_at,
            ARRAY(SELECT j.id FROM calendar_jobs JOIN jobs j ON j.id = job_id
                  WHERE calendar_id = c.id ORDER BY j.created_at, j.id) AS document_ids,
            ARRAY(SELECT j.finished_at FROM calendar_jobs JOIN jobs j ON j.id = job_id
                  WHERE calendar_id = c.id ORDER BY j.created_at, j.id) AS documents_finished_at,
            ARRAY(SELECT job_id FROM calendar_replacements
                  WHERE calendar_id = c.id ORDER BY job_id, replaced_by) AS older_ids,
            ARRAY(SELECT replaced_by FROM calendar_replacements
                  WHERE calendar_id = c.id ORDER BY job_id, replaced_by) AS newer_ids
    """
    _TABLES = " FROM calendars c LEFT JOIN academic_years y ON y.year = c.academic_year "
    _INPUTS = _COLUMNS + _TABLES

    _OWNED = _INPUTS + "WHERE c.id = %(calendar_id)s AND c.account_id = %(account_id)s"

    async def owned(self, account_id: UUID, calendar_id: UUID) -> CalendarInputs | None:
        """None if the calendar does not belong to this owner."""
        return await self._inputs(await self._one(self._OWNED, calendar_id=calendar_id, account_id=account_id))

    _FEED = (
        _COLUMNS
        + ", f.basis AS file_basis, f.body AS file_body, a.used_at"
        + _TABLES
        + """
            JOIN accounts a ON a.id = c.account_id
            LEFT JOIN calendar_feeds f ON f.calendar_id = c.id AND f.module = %(module)s
            WHERE c.token_hash = %(token_hash)s AND c.feed_open
        """
    )
    _NOTE_USE = "UPDATE accounts SET used_at = greatest(used_at, %(now)s) WHERE id = %(account_id)s"

    async def feed(self, token_hash: bytes, module: str) -> FeedInputs | None:
        """None if no calendar has an open feed at this address. One statement, or two for estimated dates."""
        row = await self._one(self._FEED, token_hash=token_hash, module=module)
        if row is None:
            return None
        return FeedInputs(
            inputs=await self._complete(row),
            file=row["file_body"],
            basis=row["file_basis"],
            modules=frozenset(row["modules"]),
            used_at=row["used_at"],
        )

    async def note_use(self, account_id: UUID, now: dt.datetime) -> None:
        """An account that is not used for long is deleted."""
        await self._connection.execute(self._NOTE_USE, {"account_id": account_id, "now": now})

    _BY_ID = _INPUTS + "WHERE c.id = %(calendar_id)s"

    async def by_id(self, calendar_id: UUID) -> CalendarInputs | None:
        """Finds a calendar for use cases without an owner."""
        return await self._inputs(await self._one(self._BY_ID, calendar_id=calendar_id))

    _LOCK = "SELECT id FROM calendars WHERE id = %(calendar_id)s FOR NO KEY UPDATE"

    async def by_id_for_update(self, calendar_id: UUID) -> CalendarInputs | None:
        """Locks the calendar: no other transaction publishes or changes it. None: it was deleted meanwhile."""
        await self._one(self._LOCK, calendar_id=calendar_id)
        # A statement of its own, since its snapshot must be younger than the lock.
        return await self.by_id(calendar_id)

    _OF_ACCOUNT = _INPUTS + "WHERE c.account_id = %(account_id)s ORDER BY c.created_at DESC, c.id"

    async def of_account(self, account_id: UUID) -> list[CalendarInputs]:
        """Newest first."""
        cursor = await self._connection.execute(self._OF_ACCOUNT, {"account_id": account_id})
        return [await self._complete(row) for row in await cursor.fetchall()]

    _YEAR = "SELECT year, body AS dates, source, confirmed, updated_at FROM academic_years WHERE year = %(year)s"

    async def year(self, year: int) -> KnownYear | None:
        return msgspec.convert(await self._one(self._YEAR, year=year), KnownYear | None)

    _YEARS = "SELECT year, body AS dates, source, confirmed, updated_at FROM academic_years ORDER BY year"

    async def years(self) -> list[KnownYear]:
        cursor = await self._connection.execute(self._YEARS)
        return msgspec.convert(await cursor.fetchall(), list[KnownYear])

    async def estimate(self, year: int) -> Estimate | None:
        """The terms of this year by the pattern of the other years."""
        return estimate_terms({known.year: known.dates for known in await self.years()}, year)

    async def _inputs(self, row: DictRow | None) -> CalendarInputs | None:
        return None if row is None else await self._complete(row)

    async def _complete(self, row: DictRow) -> CalendarInputs:
        calendar = msgspec.convert(row, Calendar)
        return CalendarInputs(
            calendar=calendar,
            known=_known_year(row),
            documents=tuple(zip(row["document_ids"], row["documents_finished_at"], strict=True)),
            replaced=tuple(zip(row["older_ids"], row["newer_ids"], strict=True)),
            estimate=await self.estimate(calendar.academic_year) if calendar.estimate_dates else None,
        )

    async def _one(self, query: Any, **values: object) -> DictRow | None:
        return await (await self._connection.execute(query, values)).fetchone()


def _known_year(row: DictRow) -> KnownYear | None:
    if row["year_source"] is None:
        return None
    return KnownYear(
        year=row["academic_year"],
        dates=msgspec.convert(row["year_dates"], YearDates),
        source=row["year_source"],
        confirmed=row["year_confirmed"],
        updated_at=row["year_updated_at"],
    )


def _values(calendar: Calendar, token_hash: bytes) -> dict[str, object]:
    return {
        "id": calendar.id,
        "account_id": calendar.account_id,
        "name": calendar.name,
        "token_hash": token_hash,
        "token_generation": calendar.token_generation,
        "academic_year": calendar.academic_year,
        "year_chosen": calendar.year_chosen,
        "dates": Jsonb(msgspec.to_builtins(calendar.dates)),
        "choices": Jsonb(msgspec.to_builtins(calendar.choices)),
        "planning": Jsonb(msgspec.to_builtins(calendar.planning)),
        "estimate_dates": calendar.estimate_dates,
        "feed_open": calendar.feed_open,
        "edits": Jsonb(msgspec.to_builtins(calendar.edits)),
        "last_edit": Jsonb(msgspec.to_builtins(calendar.last_edit)) if calendar.last_edit else None,
        "created_at": calendar.created_at,
        "updated_at": calendar.updated_at,
    }
