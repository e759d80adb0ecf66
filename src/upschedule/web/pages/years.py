"""Asks for the year of the classes if no document prints it, and warns about a year that does not fit.

Pure functions.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec

from upschedule.calendars.assembly import CalendarAssembly, likeliest_year
from upschedule.calendars.previews import YearAdvice, YearPreview
from upschedule.timetable.event import Event, Lecture


class YearOption(msgspec.Struct, frozen=True, kw_only=True):
    """A year that the student can choose, and what it would mean."""

    year: int
    meaning: str


class YearQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """`asked`: no document prints the year, and it is not chosen yet.

    `warnings` are reasons why the calendar's year may be wrong; `options` are the years to choose from.
    """

    asked: bool = False
    warnings: tuple[str, ...] = ()
    options: tuple[YearOption, ...] = ()


def year_question(
    assembly: CalendarAssembly, advice: YearAdvice, events: Sequence[Event], *, made: bool
) -> YearQuestion:
    """`events` are those of all documents; `made`: the calendar exists and is no draft."""
    dated = [event for event in events if not isinstance(event, Lecture)]
    chosen = made and assembly.calendar.year_chosen
    asked = bool(assembly.needed_terms) and not dated and not chosen
    year = assembly.year.year
    options = [_option(preview) for preview in advice.years if asked or preview.year != year]
    warnings = tuple(_warnings(assembly, advice.today, dated)) if made else ()
    return YearQuestion(asked=asked, warnings=warnings, options=tuple(options))


def written(date: dt.date) -> str:
    """The date in words, such as `13 July 2026`."""
    return f"{date.day} {date:%B %Y}"


def _option(preview: YearPreview) -> YearOption:
    if preview.first is None or preview.last is None:
        return YearOption(year=preview.year, meaning="dates not known here")
    meaning = f"{written(preview.first)} to {written(preview.last)}"
    if preview.estimated:
        meaning += ", an estimate"
    return YearOption(year=preview.year, meaning=f"{meaning}, already over" if preview.over else meaning)


def _warnings(assembly: CalendarAssembly, today: dt.date, dated: Sequence[Event]) -> Iterable[str]:
    year = assembly.year.year
    found = [occurrence.end.date() for dates in assembly.occurrences.values() for occurrence in dates]
    if found and max(found) < today:
        yield f"Every date in this calendar is over: the last one was on {written(max(found))}."
    if assembly.needed_terms and dated and (printed := likeliest_year(dated, today)) != year:
        yield f"Your tests and exams are in {printed}, but your classes follow the dates of {year}."
