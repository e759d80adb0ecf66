"""From rows to proven files. Pure: it takes a while for a large calendar, so it runs in a thread of its own."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from upschedule.calendars.assembly import Assembly
from upschedule.calendars.model import Snapshot
from upschedule.calendars.sequence import EntryRecord, publish
from upschedule.timetable.entry import DEFAULT_REMINDERS, EntryOptions, entries
from upschedule.timetable.icalendar import Header, Published, write
from upschedule.timetable.public_holidays import public_holidays
from upschedule.timetable.verify import prove

#: Raise it when equal rows give another file, so that files made before are made again.
_FORMAT = 1
_encoder = msgspec.json.Encoder(order="deterministic")


class FileOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`public_url` without a slash at its end; `cancelled_days`: how long a download names what was removed."""

    public_url: str
    uid_domain: str
    exam_minutes: int
    cancelled_days: int


def basis_of(snapshot: Snapshot, options: FileOptions) -> bytes:
    """Equal exactly while a file that was made is still right."""
    holidays = sorted(public_holidays(snapshot.calendar.academic_year).items())
    parts = (_FORMAT, snapshot.calendar, snapshot.documents, snapshot.known, holidays, options)
    return hashlib.sha256(_encoder.encode(parts)).digest()


def renew(
    assembly: Assembly, previous: Mapping[str, EntryRecord], options: FileOptions, *, now: dt.datetime
) -> dict[str, EntryRecord]:
    """What is said of each entry from now on."""
    choices = assembly.calendar.choices
    said = entries(
        assembly.visible,
        assembly.year,
        EntryOptions(
            uid_domain=options.uid_domain,
            page_url=f"{options.public_url}/",
            exam_minutes=options.exam_minutes,
            reminders={**DEFAULT_REMINDERS, **choices.reminders},
            colours=choices.colours,
        ),
    )
    return publish(previous, said, now=now)


def feed_file(assembly: Assembly, records: Iterable[EntryRecord], *, options: FileOptions, module: str = "") -> bytes:
    """What is on now, of all modules or of one."""
    current = [record for record in records if record.cancelled_at is None]
    wanted = [record for record in current if not module or record.body.module == module]
    return _file(assembly, wanted, options, module=module)


def download_file(
    assembly: Assembly, records: Iterable[EntryRecord], *, options: FileOptions, now: dt.datetime
) -> bytes:
    """For people who import files: what was removed lately is named as cancelled, or it would stay with them."""
    since = now - dt.timedelta(days=options.cancelled_days)
    wanted = [record for record in records if record.cancelled_at is None or record.cancelled_at >= since]
    return _file(assembly, wanted, options)


def _file(assembly: Assembly, records: Iterable[EntryRecord], options: FileOptions, *, module: str = "") -> bytes:
    published: list[Published] = [record.published() for record in records]
    published.sort(key=lambda item: (item.entry.start, item.entry.uid))
    name = assembly.calendar.name
    header = Header(
        name=f"{name}: {module}" if module else name, description=_description(assembly), url=f"{options.public_url}/"
    )
    document = write(header, published)
    prove(document, published)
    return document


def _description(assembly: Assembly) -> str:
    lines = [f"Made from {len(assembly.documents)} schedule(s) of the University of Pretoria."]
    if assembly.needed_terms and not assembly.dates_confirmed:
        lines.append(f"The term dates of {assembly.year.year} are not confirmed: check them.")
    return "\n".join(lines)
