"""A PDF's bytes to the events of its schedules."""

import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from upschedule.pdf.assembly import Assembly, assemble, runs
from upschedule.pdf.cells import Table, read_tables
from upschedule.pdf.document import open_document
from upschedule.pdf.errors import EmptySchedule, Incomplete, NotATimetable, OtherTimetable, Scanned
from upschedule.pdf.frame import Turns, Word
from upschedule.pdf.grid import find_grids
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.page import read_page
from upschedule.pdf.page_break import PageEnds
from upschedule.pdf.rules import find_rules
from upschedule.timetable.event import Event, Extraction, ReadingWarning

#: A time of day, the mark of a timetable.
_TIME = re.compile(r"\d{1,2}[:hH]\d{2}")
_UNREADABLE = "\ufffd"
_QUOTE_MAX = 80


def read(data: bytes, *, limits: ReadingLimits, progress: Callable[[int, int], None]) -> Extraction:
    """Everything that the document says, or an error: never a part.

    `progress` is told the pages read and the pages in all, after each page. Raises a subclass of `UnreadableDocument`.
    """
    with open_document(data, limits=limits) as document:
        pages: int = document.page_count
        tables, outside = _read_pages(document, pages, limits, progress)
    if not tables:
        raise NotATimetable
    assembly = assemble(tables, PageEnds(tables))
    _check(assembly)
    warnings = [*_outside_warnings(tables, outside), *_blank_warnings(assembly), *assembly.warnings]
    events: list[Event] = []
    for layout, entries in runs(assembly.entries):
        for item in layout.read(entries):
            if isinstance(item, ReadingWarning):
                warnings.append(item)
            else:
                events.append(item)
    if not events:
        raise Incomplete(_sentence(warnings))
    ordered = sorted(warnings, key=lambda warning: (warning.page, warning.row or 0))
    return Extraction(events=tuple(events), warnings=tuple(ordered), pages=pages)


def _read_pages(
    document: Any, pages: int, limits: ReadingLimits, progress: Callable[[int, int], None]
) -> tuple[list[Table], dict[int, list[Word]]]:
    tables: list[Table] = []
    outside: dict[int, list[Word]] = {}
    silent: list[int] = []
    pictured = False
    turns: Turns = 0
    for number in range(1, pages + 1):
        words, strokes, frame, is_pictured = read_page(document, number, limits=limits, turns=turns)
        turns = frame.turns
        pictured = pictured or is_pictured
        found, outside[number] = read_tables(words, find_grids(find_rules(strokes)), frame)
        tables += found
        if not words:
            silent.append(number)
        if any(_UNREADABLE in word[4] for word in words):
            raise Incomplete(
                f"Letters on page {number} cannot be read. Download the schedule from the UP Portal again."
            )
        progress(number, pages)
    if len(silent) == pages:
        raise Scanned if pictured else NotATimetable
    if silent:
        raise Incomplete(f"Page {silent[0]} holds no text, so classes could be lost. Download the schedule again.")
    return tables, outside


def _check(assembly: Assembly) -> None:
    if assembly.entries and not assembly.unknown:
        return
    if assembly.entries:
        page = assembly.unknown[0].frame.page
        raise Incomplete(
            f"The table on page {page} is not part of a UP schedule. Upload the schedules without that page."
        )
    if assembly.unknown:
        raise OtherTimetable
    if assembly.headed:
        raise EmptySchedule
    raise Incomplete(_sentence(assembly.warnings)) if assembly.warnings else NotATimetable


def _sentence(warnings: Sequence[ReadingWarning]) -> str:
    return " ".join(["No row of this schedule could be read.", *(warning.message for warning in warnings[:1])])


def _outside_warnings(tables: Sequence[Table], outside: dict[int, list[Word]]) -> list[ReadingWarning]:
    """Text around the tables: a title needs no mention, a page without its table is a loss."""
    tops = {table.frame.page: table.grid.rows[0] for table in reversed(tables)}
    warnings: list[ReadingWarning] = []
    for page, words in outside.items():
        times = any(_TIME.search(word[4]) for word in words)
        if page not in tops and times:
            raise Incomplete(
                f"Page {page} holds times outside of a table, which cannot be read. Download the schedule again."
            )
        stray = [word for word in words if times or page not in tops or word[1] > tops[page]]
        if stray:
            text = " ".join(chain.from_iterable(word[4:5] for word in stray))[:_QUOTE_MAX]
            warnings.append(ReadingWarning(page=page, message=f"Text outside the table was not read: {text}"))
    return warnings


def _blank_warnings(assembly: Assembly) -> list[ReadingWarning]:
    """A blank row lower than all others, or on top of a page, is a blank line of a row that was cut.

    Anywhere else text may be lost.
    """
    tops = {entry.page: entry.parts[0].row.rect[1] for entry in reversed(assembly.entries)}
    least = min((part.row.height for entry in assembly.entries for part in entry.parts), default=0.0)
    lost = [row for row in assembly.blank if row.height >= least and row.rect[1] > tops.get(row.frame.page, 0.0)]
    message = "A row of the table is blank: check that nothing is missing."
    return [ReadingWarning(page=row.frame.page, message=message) for row in lost]
