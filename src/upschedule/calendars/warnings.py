"""Warnings about a calendar that its owner should check. Pure functions."""

from collections.abc import Iterator
from uuid import UUID

import msgspec

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.timetable.academic_year import TERM_TITLES


class CalendarWarning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`event` is an entry's id; `job`, `page` and `row` say where in a document."""

    code: str
    message: str
    event: str | None = None
    job: UUID | None = None
    page: int | None = None
    row: int | None = None


def warnings(assembly: CalendarAssembly) -> tuple[CalendarWarning, ...]:
    """Warnings about dates first, then about single entries, then about the reading of documents."""
    return (*_of_dates(assembly), *_of_entries(assembly), *_of_reading(assembly))


def _of_dates(assembly: CalendarAssembly) -> Iterator[CalendarWarning]:
    if not assembly.needed_terms:
        return
    year = assembly.year
    if assembly.estimated_terms and assembly.estimate:
        terms = " and of the ".join(TERM_TITLES[term] for term in assembly.estimated_terms)
        message = (
            f"The dates of the {terms} in {year.year} are not known yet. They are an estimate from those of "
            f"{assembly.estimate.from_year}: please confirm them, or give the right ones."
        )
        yield CalendarWarning(code="dates-estimated", message=message)
    elif not assembly.dates_confirmed:
        message = f"Please confirm the term dates of {year.year}: they come from us, not from the university."
        yield CalendarWarning(code="dates-unconfirmed", message=message)
    if year.dates.recesses is None:
        message = f"The recesses of {year.year} are not known here, so classes are shown in them. Give their dates."
        yield CalendarWarning(code="recesses-unknown", message=message)


def _of_entries(assembly: CalendarAssembly) -> Iterator[CalendarWarning]:
    for entry_id, event in assembly.named:
        if not assembly.occurrences[entry_id]:
            message = f"{event.module} on page {event.page} has no dates, so it is in no calendar file."
            yield CalendarWarning(code="entry-without-dates", message=message, event=entry_id)


def _of_reading(assembly: CalendarAssembly) -> Iterator[CalendarWarning]:
    for document in assembly.documents:
        for warning in document.warnings:
            yield CalendarWarning(
                code="reading-doubtful",
                message=warning.message,
                job=document.job_id,
                page=warning.page,
                row=warning.row,
            )
