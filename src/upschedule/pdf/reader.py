"""Reads the events of the schedules in a PDF.

Each word and each path of each page, inside and outside of the visible box, is one of: a header, a cell of a row that
became an event, known furniture of a page (a title, a watermark, an invisible layer), or not understood. What is not
understood becomes a warning that names the page, or the file is refused.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from upschedule.pdf.assembled_rows import AssembledRows, assemble_rows, runs
from upschedule.pdf.cells import Table, read_tables
from upschedule.pdf.document import Opened, PageObjects, has_unmapped_font, library_errors, open_document, page_objects
from upschedule.pdf.errors import (
    EmptySchedule,
    Incomplete,
    NotATimetable,
    OtherTimetable,
    Outlined,
    Recognised,
    Scanned,
    Unmapped,
)
from upschedule.pdf.fragments import Found, find_fragments
from upschedule.pdf.frame import Turns
from upschedule.pdf.grid import find_grids
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.order import arrange
from upschedule.pdf.page import PageContents, read_page
from upschedule.pdf.page_break import PageBreaks
from upschedule.pdf.page_furniture import PageFurniture
from upschedule.pdf.rules import find_rules
from upschedule.pdf.styles import Reason
from upschedule.timetable.event import Event, Extraction, ReadingWarning

_UNREADABLE = "\ufffd"
#: From this number on, shapes on pages without text are taken for letters.
_OUTLINES_MIN = 50


class _Pages(NamedTuple):
    """The contents of the pages of a document, in page order."""

    tables: list[Table]
    furniture: PageFurniture
    portal_pages: frozenset[int]


def read(data: bytes, *, limits: ReadingLimits, progress: Callable[[int, int], None]) -> Extraction:
    """Everything that the document says, or an error: never a part.

    `progress` gets the pages read and the number of pages, after each page. Raises a subclass of `UnreadableDocument`.
    """
    with open_document(data, limits=limits) as opened:
        count: int = opened.document.page_count
        pages = _read_pages(opened, count, limits, progress)
        with library_errors():
            objects, unmapped = page_objects(opened.document), has_unmapped_font(opened.document)
    try:
        return _interpret(pages, objects, count)
    except (NotATimetable, OtherTimetable, Incomplete) as error:
        if unmapped:
            raise Unmapped from error
        raise


def _interpret(pages: _Pages, objects: PageObjects, count: int) -> Extraction:
    warnings = pages.furniture.warnings()
    if not pages.tables:
        raise NotATimetable
    found = find_fragments(pages.tables)
    _refuse_unless_schedules(found)
    breaks = PageBreaks(pages.tables, pages.portal_pages, objects)
    arranged = arrange(found.fragments, breaks.follows)
    assembled = assemble_rows(arranged, breaks)
    warnings += [*arranged.warnings, *_blank_warnings(found, assembled), *assembled.warnings]
    events: list[Event] = []
    for layout, entries in runs(assembled.entries):
        for item in layout.read(entries):
            if isinstance(item, ReadingWarning):
                warnings.append(item)
            else:
                events.append(item)
    if not events:
        raise Incomplete(_sentence(warnings))
    ordered = sorted(warnings, key=lambda warning: (warning.page, warning.row or 0))
    return Extraction(events=tuple(events), warnings=tuple(ordered), pages=count)


def _read_pages(opened: Opened, count: int, limits: ReadingLimits, progress: Callable[[int, int], None]) -> _Pages:
    tables: list[Table] = []
    furniture = PageFurniture()
    portal_pages: set[int] = set()
    silent: list[PageContents] = []
    turns: Turns = 0
    for number in range(1, count + 1):
        page = read_page(opened, number, limits=limits, turns=turns)
        turns = page.frame.turns
        found, outside = read_tables(page.words, find_grids(find_rules(page.strokes)), page.frame)
        furniture.add(page, found, outside)
        tables += found
        if page.portal_rules:
            portal_pages.add(number)
        nothing = not page.words and all(word.reason is Reason.INVISIBLE for word in page.ignored)
        # A word processor may end a document with an empty page.
        ended = number == count and tables and not page.ignored and not page.drawings and not page.pictured
        if nothing and not (ended and not page.strokes):
            silent.append(page)
        if any(_UNREADABLE in word[4] for word in page.words):
            raise Incomplete(
                f"Letters on page {number} cannot be read. Download the schedule from the UP Portal again."
            )
        progress(number, count)
    if silent:
        _refuse_silent(silent, count)
    return _Pages(tables, furniture, frozenset(portal_pages))


def _refuse_silent(silent: Sequence[PageContents], count: int) -> None:
    """Raise the cause that explains all pages without visible text, or a general one."""
    outlined = sum(page.drawings for page in silent) >= _OUTLINES_MIN
    for cause, found in (
        (Outlined, [outlined and page.drawings > 0 for page in silent]),
        (Recognised, [page.pictured and bool(page.ignored) for page in silent]),
        (Scanned, [page.pictured for page in silent]),
    ):
        if all(found):
            raise cause
    if len(silent) == count:
        raise NotATimetable
    number = silent[0].frame.page
    raise Incomplete(f"Page {number} holds no text, so classes could be lost. Download the schedule again.")


def _refuse_unless_schedules(found: Found) -> None:
    rows = any(fragment.parts for fragment in found.fragments)
    if rows and not found.unknown:
        return
    if rows:
        page = found.unknown[0].frame.page
        raise Incomplete(
            f"The table on page {page} is not part of a UP schedule. Upload the schedules without that page."
        )
    if found.unknown:
        raise OtherTimetable
    raise EmptySchedule if found.fragments else NotATimetable


def _sentence(warnings: Sequence[ReadingWarning]) -> str:
    return " ".join(["No row of this schedule could be read.", *(warning.message for warning in warnings[:1])])


def _blank_warnings(found: Found, assembled: AssembledRows) -> list[ReadingWarning]:
    """A blank row lower than all others, or on top of a page, is a blank line of a row that was cut.

    Anywhere else text may be lost.
    """
    tops = {entry.page: entry.parts[0].row.rect[1] for entry in reversed(assembled.entries)}
    least = min((part.row.height for entry in assembled.entries for part in entry.parts), default=0.0)
    lost = [row for row in found.blank if row.height >= least and row.rect[1] > tops.get(row.frame.page, 0.0)]
    message = "A row of the table is blank: check that nothing is missing."
    return [ReadingWarning(page=row.frame.page, message=message) for row in lost]
