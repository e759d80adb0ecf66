"""Validates the fields of a calendar; errors name each invalid field."""

from uuid import UUID

import msgspec

from upschedule.calendars.assembly import CalendarAssembly, needed_terms
from upschedule.calendars.errors import DatesMissing, InvalidCalendar, ScheduleNotRead
from upschedule.calendars.model import Calendar, KnownYear, YearChoice
from upschedule.errors import FieldError
from upschedule.timetable.academic_year import OFFERED, TERM_TITLES, Term, YearDates, merge
from upschedule.timetable.event import Lecture
from upschedule.timetable.text import clean
from upschedule.timetable.year_validation import find_year_errors

_READ = "completed"
_NAME_MAX = 100
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
