"""Builds records and verified calendar files from rows. Pure functions.

A large calendar takes a while, so callers run this in a thread.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Mapping

import msgspec

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.errors import ModuleNotInCalendar
from upschedule.calendars.model import CalendarInputs, CalendarOptions
from upschedule.calendars.sequence import EntryRecord, update_records
from upschedule.timetable.entry import EntryOptions, entries
from upschedule.timetable.icalendar import Header, Published, write
from upschedule.timetable.public_holidays import public_holidays
from upschedule.timetable.reminders import DEFAULT_REMINDERS
from upschedule.timetable.verify import verify

#: Raise this number when equal rows give another file, so that cached files are built again.
_FORMAT = 2
_encoder = msgspec.json.Encoder(order="deterministic")


def basis_of(inputs: CalendarInputs, options: CalendarOptions) -> bytes:
    """A hash of everything that a file depends on: a cached file with the same basis is still right."""
    holidays = sorted(public_holidays(inputs.calendar.academic_year).items())
    parts = (_FORMAT, inputs.calendar, inputs.documents, inputs.known, holidays, options)
    # Only where there is something: other calendars keep the files that they have.
    parts += (inputs.estimate,) if inputs.estimate else ()
    partly = tuple(pair for pair in inputs.replaced if pair[0] in inputs.job_ids)
    parts += (partly,) if partly else ()
    return hashlib.sha256(_encoder.encode(parts)).digest()


def build_records(
    assembly: CalendarAssembly, previous: Mapping[str, EntryRecord], options: CalendarOptions, *, now: dt.datetime
) -> dict[str, EntryRecord]:
    """The records of all entries after this publication."""
    choices = assembly.calendar.choices
    visible = entries(
        [(entry_id, assembly.printed[entry_id]) for entry_id, _ in assembly.visible],
        assembly.year,
        EntryOptions(
            uid_domain=options.uid_domain,
            page_url=f"{options.public_url}/",
            exam_minutes=options.exam_minutes,
            reminders={**DEFAULT_REMINDERS, **choices.reminders},
            colours=choices.colours,
            edits=assembly.calendar.edits.entries,
        ),
        assembly.own,
    )
    return update_records(previous, visible, now=now)


def build_feed(
    assembly: CalendarAssembly,
    records: Collection[EntryRecord],
    *,
    options: CalendarOptions,
    module: str = "",
    earlier_modules: Collection[str] = (),
) -> bytes:
    """The file of current entries, of all modules or of one: empty for one that is no longer in the calendar.

    Raises ModuleNotInCalendar for one that neither the calendar, nor its records, nor `earlier_modules` name.
    """
    if module and module not in {
        *earlier_modules,
        *(event.module for _, event in assembly.named),
        *(record.body.module for record in records),
    }:
        raise ModuleNotInCalendar
    current = [record for record in records if record.cancelled_at is None]
    wanted = [record for record in current if not module or record.body.module == module]
    return _file(assembly, wanted, options, module=module)


def build_download(
    assembly: CalendarAssembly, records: Iterable[EntryRecord], *, options: CalendarOptions, now: dt.datetime
) -> bytes:
    """The file for importing by hand. It names lately removed entries as cancelled, so that importing removes them."""
    since = now - dt.timedelta(days=options.cancelled_days)
    wanted = [record for record in records if record.cancelled_at is None or record.cancelled_at >= since]
    return _file(assembly, wanted, options)


def _file(
    assembly: CalendarAssembly, records: Iterable[EntryRecord], options: CalendarOptions, *, module: str = ""
) -> bytes:
    published: list[Published] = [record.published() for record in records]
    published.sort(key=lambda item: (item.entry.start, item.entry.uid))
    name = assembly.calendar.name
    header = Header(
        name=f"{name}: {module}" if module else name, description=_description(assembly), url=f"{options.public_url}/"
    )
    document = write(header, published)
    verify(document, published)
    return document


def _description(assembly: CalendarAssembly) -> str:
    # No number of documents: another document with the same entries must not change the file.
    lines = ["Made from schedules of the University of Pretoria."]
    if assembly.estimated_terms and assembly.estimate:
        lines.append(
            f"The term dates of {assembly.year.year} are an estimate from those of {assembly.estimate.from_year}: "
            "check them."
        )
    elif assembly.needed_terms and not assembly.dates_confirmed:
        lines.append(f"The term dates of {assembly.year.year} are not confirmed: check them.")
    return "\n".join(lines)
