"""Whether a calendar's feed says what the golden document says. Pure."""

from collections.abc import Iterable
from typing import Any

from icalendar import Calendar

from upschedule.timetable.event import Event, Lecture, weekday_of

#: Dates of the gate's own, so that it asks the same of every release in every year.
ACADEMIC_YEAR: dict[str, Any] = {
    "year": 2026,
    "terms": {
        "Q1": {"start": "2026-02-16", "end": "2026-04-02"},
        "Q2": {"start": "2026-04-13", "end": "2026-05-29"},
        "Q3": {"start": "2026-07-20", "end": "2026-09-11"},
        "Q4": {"start": "2026-09-21", "end": "2026-11-06"},
        "S1": {"start": "2026-02-16", "end": "2026-05-29"},
        "S2": {"start": "2026-07-20", "end": "2026-11-06"},
    },
    "recesses": [],
    "no_lectures": [],
    "follows": [],
}


def difference(feed: bytes, events: Iterable[Event]) -> str:
    """Empty where every class is there, on its day at its time, and nothing else is."""
    lectures = [event for event in events if isinstance(event, Lecture)]
    try:
        found = sorted(
            (_module(str(entry["SUMMARY"]), lectures), weekday_of(entry.start), f"{entry.start:%H:%M}")
            for entry in Calendar.from_ical(feed).events
        )
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        return f"it is no calendar: {error}"
    wanted = sorted({(event.module, event.day, event.start) for event in lectures})
    missing, extra = set(wanted) - set(found), set(found) - set(wanted)
    if not missing and not extra:
        return ""
    return f"{len(missing)} of {len(wanted)} classes are missing, {len(extra)} entries are not in the document"


def _module(summary: str, lectures: Iterable[Lecture]) -> str:
    return next((event.module for event in lectures if event.module in summary), summary)
