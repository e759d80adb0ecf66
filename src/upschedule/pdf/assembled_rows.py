"""Assembles the rows of fragments into entries: joins the pieces of rows that page breaks have cut.

Two pieces are joined on evidence only: the fragments follow each other, have the same columns, the first one reaches
the end of its page, and the pieces fit together by their contents.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from upschedule.pdf.errors import Incomplete
from upschedule.pdf.fragments import LAYOUTS, Fragment
from upschedule.pdf.frame import Frame
from upschedule.pdf.layouts.entry import Entry, Fields, Layout, Part
from upschedule.pdf.layouts.fields import is_module, joined, module_code
from upschedule.pdf.order import Arranged, is_before
from upschedule.pdf.page_break import PageBreaks
from upschedule.timetable.event import ReadingWarning


def _unknown_columns(fragments: Sequence[Fragment]) -> Iterator[ReadingWarning]:
    """One warning for each column that no schedule of the portal has."""
    reported: set[str] = set()
    for fragment in fragments:
        for name in set(fragment.columns.names) - set(fragment.layout.columns) - reported:
            if any(part.fields[name] for part in fragment.parts):
                reported.add(name)
                message = f"The column {name!r} is not one of the UP Portal's; its text was not read."
                yield ReadingWarning(page=fragment.page, message=message)


def _end_uncertain(fragment: Fragment) -> ReadingWarning:
    message = f"The {fragment.layout.name} table fills this page and does not go on: check that no page is missing."
    return ReadingWarning(page=fragment.page, message=message)


@dataclass(slots=True)
class AssembledRows:
    """The entries so far, and warnings about them."""

    entries: list[Entry] = field(default_factory=list[Entry])
    warnings: list[ReadingWarning] = field(default_factory=list[ReadingWarning])

    def entry_of(self, part: Part) -> Entry | None:
        """The last entry, if it ends with this part: a rest without its beginning belongs to no entry."""
        last = self.entries[-1] if self.entries else None
        return last if last and last.parts[-1] is part else None


def assemble_rows(arranged: Arranged, breaks: PageBreaks) -> AssembledRows:
    """Put the rows of a whole document together. Raises `Incomplete` if a page is missing between two others."""
    assembled = AssembledRows()
    joints = _Joints(arranged, breaks)
    before: Fragment | None = None
    for fragment in arranged.fragments:
        if before and not fragment.headed and before.layout is fragment.layout:
            joints.check_removed(before, fragment)
        if not fragment.headed and not (before and _goes_on(before, fragment, breaks)):
            assembled.warnings.append(_start_missing(fragment.layout, fragment.table.frame))
        previous: Part | None = None
        for part in fragment.parts:
            if part.row.overrun:
                assembled.warnings.append(part.warning("Text reaches over the border of its cell and may be cut off."))
            if part.row.overprinted:
                assembled.warnings.append(part.warning("Texts of this row are printed over each other: check it."))
            if previous is None:
                _place_first(part, before, fragment, assembled, joints)
            else:
                _place(part, previous, fragment, assembled)
            previous = part
        before = fragment
    assembled.warnings += _unknown_columns(arranged.fragments)
    for fragment, after in zip(arranged.fragments, [*arranged.fragments[1:], None], strict=True):
        if (after is None or after.headed or after.layout is not fragment.layout) and breaks.fills_page(fragment):
            assembled.warnings.append(_end_uncertain(fragment))
    return assembled


class _Joints:
    """A place at which a row may be joined with its continuation on another page."""

    def __init__(self, arranged: Arranged, breaks: PageBreaks) -> None:
        self._is_sorted, self._breaks = arranged.is_sorted, breaks
        whole: dict[str, list[Fields]] = {}
        for fragment in arranged.fragments:
            # A row at the end of a page may go on, and one at its top may be the rest of another.
            whole.setdefault(fragment.layout.name, []).extend(part.fields for part in fragment.parts[1:-1])
        self._regular = {layout.name: layout.is_regular(whole.get(layout.name, [])) for layout in LAYOUTS}

    def can_join(self, before: Fragment, after: Fragment) -> bool:
        return before.layout is after.layout and self._breaks.follows(before, after)

    def check_rest(self, entry: Entry, rest: Part, before: Fragment, after: Fragment) -> None:
        """Raises `Incomplete` if something tells that the rest belongs to another row."""
        fits = entry.layout.continues(entry, rest, regular=self._regular[entry.layout.name])
        proved = self._is_sorted and is_before(before, after)
        moved = not proved and not self._breaks.in_file_order(before, after)
        if not fits or moved:
            raise Incomplete(_page_missing(rest.page))

    def check_removed(self, before: Fragment, after: Fragment) -> None:
        """Raises `Incomplete` if a page between the two was taken out of the file."""
        if self._breaks.page_removed(before, after):
            raise Incomplete(_page_missing(after.page))

    def check_whole(self, entry: Entry, next_part: Part) -> None:
        """Raises `Incomplete` if the last row of a page lacks its rest, and a whole row follows on the next page."""
        if self._regular[entry.layout.name] and not entry.layout.is_whole(entry):
            raise Incomplete(_page_missing(next_part.page))


def _page_missing(page: int) -> str:
    return (
        f"A page is missing before page {page}, or the pages are not in order, so rooms could go to the wrong rows. "
        "Download the schedule from the UP Portal again."
    )


def _goes_on(before: Fragment, fragment: Fragment, breaks: PageBreaks) -> bool:
    """Whether a fragment without a header goes on with the schedule before it, which had not ended."""
    same = before.columns.names == fragment.columns.names
    return same and (not before.parts or not fragment.parts or breaks.runs_on(before, fragment))


def _start_missing(layout: Layout, frame: Frame) -> ReadingWarning:
    message = f"The start of the {layout.name} schedule is missing: no header comes before this page."
    return ReadingWarning(page=frame.page, message=message)


def _place_first(
    part: Part, before: Fragment | None, fragment: Fragment, assembled: AssembledRows, joints: _Joints
) -> None:
    """A row at the top of a fragment may be the rest of the last one of the fragment before."""
    rest = _is_rest(part, fragment.layout)
    last = assembled.entry_of(before.parts[-1]) if before and before.parts else None
    if before and last and joints.can_join(before, fragment):
        if rest or last.completes_with(part):
            joints.check_rest(last, part, before, fragment)
            last.parts.append(part)
            return
        if not fragment.headed:
            joints.check_whole(last, part)
    if rest and before and before.layout is fragment.layout and not fragment.headed:
        # The row that ends the fragment before may lack this or another rest.
        raise Incomplete(_page_missing(part.page))
    if rest:
        assembled.warnings.append(_beginning_missing(part))
    else:
        assembled.entries.append(Entry(fragment.layout, [part]))


def _beginning_missing(part: Part) -> ReadingWarning:
    return part.warning("This is the rest of a row whose beginning is missing; it was left out.")


def _place(part: Part, previous: Part, fragment: Fragment, assembled: AssembledRows) -> None:
    """A row inside of a fragment begins there. One without its keys was cut off by a line that is no rule."""
    if not part.is_blank(fragment.layout.keys) or part.row is fragment.table.rows[-1]:
        assembled.entries.append(Entry(fragment.layout, [part]))
        return
    last = assembled.entry_of(previous)
    if last:
        assembled.warnings.append(part.warning("A line that is not part of the table goes through this row."))
        last.parts.append(part)
    else:
        assembled.warnings.append(_beginning_missing(part))


def _is_rest(part: Part, layout: Layout) -> bool:
    """Whether the keys are blank; the second half of a wrapped module may be among them."""
    if part.is_blank(layout.keys):
        return True
    halved = not is_module(module_code(joined(part.fields["module"])))
    return halved and part.is_blank([key for key in layout.keys if key != "module"])


def runs(entries: Sequence[Entry]) -> Iterator[tuple[Layout, list[Entry]]]:
    """Neighbouring entries of one kind."""
    run: list[Entry] = []
    for entry in entries:
        if run and run[-1].layout is not entry.layout:
            yield run[-1].layout, run
            run = []
        run.append(entry)
    if run:
        yield run[-1].layout, run
