"""Calendars without a database."""

import datetime as dt
import uuid
from typing import Any

from tests.support.builders.timetable import academic_year
from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.model import Calendar, Choices, Document, KnownYear
from upschedule.timetable.academic_year import YearDates
from upschedule.timetable.event import Event

MOMENT = dt.datetime(2026, 2, 1, 10, tzinfo=dt.UTC)
KNOWN = KnownYear(year=2026, dates=academic_year().dates, source="A yearbook", confirmed=False, updated_at=MOMENT)


def calendar(**changes: Any) -> Calendar:
    values: dict[str, Any] = {
        "id": uuid.UUID(int=1), "account_id": uuid.UUID(int=2), "name": "Mine", "token_generation": 1,
        "academic_year": 2026, "year_chosen": False, "dates": YearDates(), "choices": Choices(), "created_at": MOMENT,
        "updated_at": MOMENT,
    }  # fmt: skip
    return Calendar(**(values | changes))


def document(number: int, *events: Event) -> Document:
    return Document(job_id=uuid.UUID(int=number), events=events, warnings=())


def assembly(*events: Event, known: KnownYear | None = KNOWN, **changes: Any) -> CalendarAssembly:
    """One document with these events."""
    return CalendarAssembly(calendar(**changes), known, (document(1, *events),), exam_minutes=180)
