"""Validates the fields of a calendar; errors name each invalid field."""

import datetime as dt
from collections.abc import Iterator
from uuid import UUID

import msgspec

from upschedule.calendars.assembly import CalendarAssembly, needed_terms
from upschedule.calendars.errors import DatesMissing, InvalidCalendar, ScheduleNotRead
from upschedule.calendars.model import Calendar, KnownYear, YearChoice
from upschedule.errors import FieldError
from upschedule.timetable.academic_year import OFFERED, TERM_TITLES, Term, YearDates, merge
from upschedule.timetable.edits import Edit, Edits, OwnEvent
from upschedule.timetable.event import Lecture
from upschedule.timetable.text import clean
from upschedule.timetable.year_validation import find_year_errors

_READ = "completed"
_NAME_MAX = 100
_YEARS = range(2000, 2101)
_WEEKLY_MAX = dt.timedelta(days=366)
_END_BEFORE_START = "The end is before the start."
_NO_SUCH_YEAR = "Give a date between 2000 and 2100."
_YEAR_FIELD = "academic_year"
_TERMS_FIELD = f"{_YEAR_FIELD}.terms"


def checked_name(name: str) -> str:
    """Raises InvalidCalendar."""
    cleaned = clean(name)
    if not 0 < len(cleaned) <= _NAME_MAX:
        raise InvalidCalendar((FieldError(field="name", detail=f"Give 1 to {_NAME_MAX} characters."),))
    return cleaned


def check_bounds(calendar: Calendar) -> None:
    """Holds all values to the bounds of their types: forms do not, and a row beyond them could not be read back.

    Raises InvalidCalendar.
    """
    try:
        msgspec.convert(msgspec.to_builtins(calendar), Calendar)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at ")
        raise InvalidCalendar((FieldError(field=path.strip("`$").lstrip("."), detail=detail),)) from error


def check_edits(edits: Edits) -> None:
    """Raises InvalidCalendar for times that cannot be, and for two own entries of one id."""
    found = [error for entry_id, edit in edits.entries.items() for error in _edit_errors(entry_id, edit)]
    for number, own in enumerate(edits.own):
        found += _own_errors(f"edits.own.{number}", own)
    if len({own.id for own in edits.own}) < len(edits.own):
        found.append(FieldError(field="edits.own", detail="Each entry needs an id of its own."))
    if found:
        raise InvalidCalendar(tuple(found))


def _edit_errors(entry_id: str, edit: Edit) -> Iterator[FieldError]:
    field = f"edits.entries.{entry_id}"
    if (edit.start is None) != (edit.end is None):
        yield FieldError(field=f"{field}.{'end' if edit.start else 'start'}", detail="Give both start and end.")
    elif edit.start and edit.end and edit.end <= edit.start:
        yield FieldError(field=f"{field}.end", detail=_END_BEFORE_START)
    if edit.date and edit.date.year not in _YEARS:
        yield FieldError(field=f"{field}.date", detail=_NO_SUCH_YEAR)


def _own_errors(field: str, own: OwnEvent) -> Iterator[FieldError]:
    if not clean(own.title):
        yield FieldError(field=f"{field}.title", detail="Give it a name.")
    if own.end <= own.start:
        yield FieldError(field=f"{field}.end", detail=_END_BEFORE_START)
    if own.date.year not in _YEARS:
        yield FieldError(field=f"{field}.date", detail=_NO_SUCH_YEAR)
        return
    until = own.weekly_until
    if until and not own.date <= until <= own.date + _WEEKLY_MAX:
        yield FieldError(field=f"{field}.weekly_until", detail="Give a day within a year after the first one.")


def check_jobs(job_ids: tuple[UUID, ...], statuses: dict[UUID, str]) -> None:
    """`statuses` has the jobs of this owner only. Raises InvalidCalendar, ScheduleNotRead."""
    unknown = [
        FieldError(field=f"jobs.{index}", detail="There is no such schedule among yours.")
        for index, job_id in enumerate(job_ids)
        if job_id not in statuses
    ]
    if unknown:
        raise InvalidCalendar(tuple(unknown))
    if any(status != _READ for status in statuses.values()):
        raise ScheduleNotRead


def check_dates(year: int, choice: YearChoice, known: KnownYear | None) -> None:
    """Validates the owner's dates alone, then together with the known terms. Raises InvalidCalendar."""
    errors = find_year_errors(year, choice.dates, field=_YEAR_FIELD)
    if not errors:
        terms = merge(known.dates if known else YearDates(), choice.dates).terms
        errors = find_year_errors(year, msgspec.structs.replace(choice.dates, terms=terms), field=_YEAR_FIELD)
    if errors:
        raise InvalidCalendar(errors)


def check_complete(assembly: CalendarAssembly, *, events_max: int) -> None:
    """Raises DatesMissing for lectures in terms that have no dates, InvalidCalendar for far too many events."""
    if len(assembly.named) > events_max:
        detail = f"Together they have {len(assembly.named)} entries; a calendar holds {events_max}."
        raise InvalidCalendar((FieldError(field="jobs", detail=detail),))
    undated = [
        event
        for _, event in assembly.named
        if isinstance(event, Lecture) and event.offered in OFFERED and assembly.year.periods(event.offered) is None
    ]
    missing: list[Term] = [term for term in needed_terms(undated) if assembly.year.periods(term) is None]
    if missing:
        raise DatesMissing(tuple(_missing(term, assembly.year.year) for term in missing))


def _missing(term: Term, year: int) -> FieldError:
    detail = f"Give the first and the last day of the {TERM_TITLES[term]} in {year}."
    return FieldError(field=f"{_TERMS_FIELD}.{term}", detail=detail)
