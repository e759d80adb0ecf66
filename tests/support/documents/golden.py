"""Makes the golden documents of `src/upschedule/golden`: `python -m tests.support.documents.golden`."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from tests.support.documents.generate import Printed, print_by_portal
from tests.support.documents.reading import extract
from tests.support.documents.schedules import EXAMS, LECTURES, ROWS, TESTS, Kind
from upschedule import golden
from upschedule.golden.published import published_entries
from upschedule.timetable.academic_year import AcademicYear, YearDates
from upschedule.timetable.entry import EntryOptions, entries
from upschedule.timetable.event import Event, Extraction, Lecture
from upschedule.timetable.icalendar import Header, Published, write
from upschedule.timetable.merge import merge
from upschedule.timetable.public_holidays import public_holidays
from upschedule.timetable.reminders import DEFAULT_REMINDERS
from upschedule.timetable.uid import entry_ids

YEAR = 2025
#: All fields, so that nothing of the dates that a cluster knows of this year has a part in it.
DATES: Mapping[str, Any] = {
    "terms": {
        "Q1": {"start": "2025-02-10", "end": "2025-03-28"},
        "Q2": {"start": "2025-04-07", "end": "2025-05-23"},
        "Q3": {"start": "2025-07-21", "end": "2025-09-05"},
        "Q4": {"start": "2025-09-15", "end": "2025-10-31"},
        "S1": {"start": "2025-02-10", "end": "2025-05-23"},
        "S2": {"start": "2025-07-21", "end": "2025-10-31"},
    },
    "recesses": [
        {"start": "2025-03-29", "end": "2025-04-06", "name": "Recess"},
        {"start": "2025-09-06", "end": "2025-09-14", "name": "Recess"},
    ],
    "no_lectures": [{"start": "2025-05-02", "end": "2025-05-02"}],
    "follows": [{"date": "2025-04-22", "weekday": "Friday"}],
    "exams": [],
    "supplementary_exams": [],
    "holidays": [],
}
_OPTIONS = EntryOptions(
    uid_domain="example.org", page_url="https://example.org/", exam_minutes=180, reminders=DEFAULT_REMINDERS
)
_ANY_ID = "6f7c2a30-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The seed and the number of rows of a document."""

    kind: Kind
    seed: int
    rows: int


RECIPES: Mapping[golden.Layout, Recipe] = {
    "lectures": Recipe(LECTURES, seed=17, rows=12),
    "tests": Recipe(TESTS, seed=1, rows=10),
    "exams": Recipe(EXAMS, seed=1, rows=30),
}


@cache
def printed(layout: golden.Layout) -> Printed:
    """The same bytes each time; rows in the order of the portal: by module, or by date."""
    recipe = RECIPES[layout]
    rng = Random(recipe.seed)  # noqa: S311 - fixed
    rows = [ROWS[recipe.kind.title](rng) for _ in range(recipe.rows)]
    return print_by_portal(recipe.kind, sorted(rows, key=lambda row: _sort_key(row.events[0])), rng)


def _sort_key(event: Event) -> str:
    return event.module if isinstance(event, Lecture) else event.date.isoformat()


def made() -> golden.GoldenSet:
    """Expected is what was printed, not what some reader made of it; only boxes are those of the reader."""
    documents = tuple(_document(layout) for layout in golden.LAYOUTS)
    return golden.GoldenSet(documents=documents, calendar=_calendar(documents))


def _document(layout: golden.Layout) -> golden.Golden:
    document = printed(layout)
    boxes = [event.boxes for event in extract(document.data).events]
    events = [event for row in document.placed for event in row.events]
    boxed = tuple(msgspec.structs.replace(event, boxes=places) for event, places in zip(events, boxes, strict=True))
    return golden.Golden(layout=layout, document=document.data, expected=Extraction(events=boxed, pages=document.pages))


def _calendar(documents: tuple[golden.Golden, ...]) -> golden.GoldenCalendar:
    named = entry_ids(merge(each.expected.events for each in documents), calendar_id=_ANY_ID, year=YEAR)
    year = AcademicYear(YEAR, msgspec.convert(DATES, YearDates), public_holidays(YEAR))
    stamp = dt.datetime(YEAR, 1, 1, tzinfo=dt.UTC)
    published = [Published(entry=entry, sequence=0, modified_at=stamp) for entry in entries(named, year, _OPTIONS)]
    file = write(Header(name="Golden", description="", url=_OPTIONS.page_url), published)
    return golden.GoldenCalendar(academic_year={"year": YEAR, **DATES}, entries=published_entries(file))


def main() -> None:
    """Write all files."""
    folder, whole = Path(golden.__file__).parent, made()
    for each in whole.documents:
        (folder / f"{each.layout}.pdf").write_bytes(each.document)
        (folder / f"{each.layout}.json").write_bytes(_text(each.expected))
    (folder / "calendar.json").write_bytes(_text(whole.calendar))


def _text(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


if __name__ == "__main__":
    main()
