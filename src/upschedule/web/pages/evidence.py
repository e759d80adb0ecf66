"""Shows where an entry comes from: the rows that were read, and the text of the row of an entry. Pure functions."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

import msgspec

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.timetable.event import Box, Event, Exam, Extraction, Lecture, Test
from upschedule.timetable.text import campus_name, summary
from upschedule.web.pages.warnings import EntryWarnings, PlacedWarning

#: An entry is printed in a few rows at most: of several rooms, or cut by a page break.
_PICTURES_MAX = 6
_NAME_DIGITS = 16
_TERMS = {
    "S1": "first semester", "S2": "second semester", "Q1": "first quarter", "Q2": "second quarter",
    "Q3": "third quarter", "Q4": "fourth quarter",
}  # fmt: skip
_LANGUAGES = {"E": "English", "A": "Afrikaans"}


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a row, with the name of its column."""

    label: str
    value: str


class RowPicture(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is different for each document and place, so that a browser may cache the picture.

    `place` is shown to the student.
    """

    name: str
    place: str
    box: Box


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown about the origin of an entry. `pictures` is empty after the file was deleted."""

    job_id: UUID
    facts: tuple[Fact, ...]
    places: tuple[str, ...]
    pictures: tuple[RowPicture, ...] = ()


class RowToCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A row with a warning that gave an entry."""

    entry_id: str
    what: str
    warnings: tuple[PlacedWarning, ...]


def rows_read(extraction: Extraction) -> str:
    """`All 12 rows read`, or how many of them. Rows are counted in the same way as for warnings."""
    read = set(_rows(extraction.events))
    doubtful = {(warning.page, warning.row) for warning in extraction.warnings if warning.row}
    return _sentence(len(read), len(read | doubtful), len(doubtful & read))


def rows_of_modules(extractions: Iterable[Extraction]) -> Mapping[str, str]:
    """The same sentence for each module."""
    rows: dict[str, int] = {}
    doubts: dict[str, int] = {}
    for extraction in extractions:
        doubtful = {(warning.page, warning.row) for warning in extraction.warnings if warning.row}
        by_module: dict[str, set[tuple[int, int]]] = {}
        for event in extraction.events:
            by_module.setdefault(event.module, set()).update(_rows((event,)))
        for module, found in by_module.items():
            rows[module] = rows.get(module, 0) + len(found)
            doubts[module] = doubts.get(module, 0) + len(found & doubtful)
    return {module: _sentence(count, count, doubts[module]) for module, count in rows.items()}


def rows_to_check(named: Sequence[tuple[str, Event]], warnings: EntryWarnings) -> tuple[RowToCheck, ...]:
    """The rows with a warning, in the order of their entries."""
    return tuple(
        RowToCheck(entry_id=entry_id, what=summary(event), warnings=warnings.beside[entry_id])
        for entry_id, event in named
        if entry_id in warnings.beside
    )


def evidence_of(assembly: CalendarAssembly, entry_id: str, files: Mapping[UUID, str]) -> Evidence | None:
    """The evidence, with pictures even if the file no longer exists. None for an entry that no document prints.

    `files` are the names of the documents.
    """
    printed = assembly.printed.get(entry_id)
    if printed is None:
        return None
    job_id = assembly.source_of(printed)
    pictures = tuple(
        RowPicture(name=_name(job_id, box), place=_place(box, files.get(job_id, "")), box=box) for box in printed.boxes
    )
    return Evidence(
        job_id=job_id,
        facts=tuple(_facts(printed)),
        # A row can have several boxes, and is named once.
        places=tuple(dict.fromkeys(picture.place for picture in pictures)),
        pictures=pictures[:_PICTURES_MAX],
    )


def _rows(events: Iterable[Event]) -> Iterator[tuple[int, int]]:
    return ((box.page, box.row) for event in events for box in event.boxes if box.row)


def _sentence(read: int, rows: int, doubtful: int) -> str:
    if not rows:
        return ""
    counted = f"{read} of {rows} {'row' if rows == 1 else 'rows'} read"
    return f"{counted}, {doubtful} to check" if doubtful else counted


def _place(box: Box, file: str) -> str:
    """The place to look at, such as `lectures.pdf, page 1, row 3`."""
    row = f"row {box.row}" if box.row else ""
    return ", ".join(part for part in (file, f"page {box.page}", row) if part)


def _name(job_id: UUID, box: Box) -> str:
    return hashlib.sha256(job_id.bytes + msgspec.json.encode(box)).hexdigest()[:_NAME_DIGITS]


def _facts(event: Event) -> Iterator[Fact]:
    """The fields of the row in printed order, without empty ones, each with the name of its column.

    Abbreviations are explained.
    """
    columns: tuple[tuple[str, str], ...]
    match event:
        case Lecture():
            columns = (
                ("Module", event.module),
                ("Offered", _explained(event.offered, _TERMS)),
                ("Group", event.group),
                ("Language", _explained(event.language, _LANGUAGES)),
                ("Activity", event.activity),
                ("Day", event.day),
                ("Time", f"{event.start} to {event.end}"),
                ("Venue", "; ".join(event.venues)),
                ("Campus", event.campus),
                ("Study programmes", ", ".join(event.study_programmes)),
            )
        case Test():
            columns = (
                ("Module", event.module),
                ("Test", event.test),
                ("Day", event.day),
                ("Date", f"{event.date.day} {event.date:%B %Y}"),
                ("Time", f"{event.start} to {event.end}"),
                ("Campus", event.campus),
                ("Venue", "; ".join(event.venues)),
            )
        case Exam():
            columns = (
                ("Status", event.status),
                ("Module", event.module),
                ("Paper", event.paper),
                ("Activity", event.activity),
                ("Date", f"{event.date.day} {event.date:%B %Y}"),
                ("Time", event.start),
                ("Module campus", campus_name(event.module_campus)),
                ("Exam campus", campus_name(event.exam_campus)),
                ("Venue", "; ".join(event.venues)),
                ("Comments", event.comments),
            )
    return (Fact(label=label, value=value) for label, value in columns if value.strip())


def _explained(code: str, meanings: Mapping[str, str]) -> str:
    return f"{code} ({meanings[code]})" if code in meanings else code
