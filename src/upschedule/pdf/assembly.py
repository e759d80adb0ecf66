"""Tables to entries: which kind each table is, and which rows belong together across page breaks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from upschedule.pdf.cells import Row, Table
from upschedule.pdf.frame import Frame
from upschedule.pdf.layouts import exams, lectures, tests
from upschedule.pdf.layouts.entry import Entry, Fields, Layout, Part
from upschedule.pdf.layouts.fields import is_module, joined, module_code
from upschedule.pdf.page_break import PageEnds
from upschedule.timetable.event import ReadingWarning

LAYOUTS: tuple[Layout, ...] = (lectures.LAYOUT, tests.LAYOUT, exams.LAYOUT)


class Columns(NamedTuple):
    """Which field stands in which column, as the last header says."""

    layout: Layout
    names: tuple[str, ...]

    def fields(self, row: Row) -> Fields:
        return dict(zip(self.names, row.cells, strict=True))


@dataclass(slots=True)
class Assembly:
    """What the tables hold so far."""

    entries: list[Entry] = field(default_factory=list[Entry])
    warnings: list[ReadingWarning] = field(default_factory=list[ReadingWarning])
    #: Pages with a header.
    headed: set[int] = field(default_factory=set[int])
    #: Rows without any text: the blank last line of a row that a page break cut, or text that was lost.
    blank: list[Row] = field(default_factory=list[Row])
    #: Tables with contents that fit no kind of schedule.
    unknown: list[Table] = field(default_factory=list[Table])


def assemble(tables: Sequence[Table], ends: PageEnds) -> Assembly:
    """Put the rows of a whole document together; tables come in reading order."""
    assembly = Assembly()
    columns: Columns | None = None
    numbers: Counter[int] = Counter()
    for table in tables:
        for row in table.rows:
            if row.is_blank:
                assembly.blank.append(row)
                continue
            header = _header(row)
            if header:
                columns = header
                assembly.headed.add(row.frame.page)
                continue
            held = _held(columns, row, table)
            if not held:
                assembly.unknown.append(table)
                break
            numbers[row.frame.page] += 1
            part = Part(held.fields(row), row, numbers[row.frame.page])
            if held is not columns or _lost_start(part, assembly, ends):
                assembly.warnings.append(_start_missing(held.layout, row.frame))
            columns = held
            _place(part, held.layout, assembly, ends)
    return assembly


def _held(columns: Columns | None, row: Row, table: Table) -> Columns | None:
    """The columns of the last header hold until a table has none of its rows."""
    if columns and len(columns.names) == len(row) and _fits(columns, table):
        return columns
    return _by_contents(table)


def _lost_start(part: Part, assembly: Assembly, ends: PageEnds) -> bool:
    """Whether the table before ended, so that this one, which has no header, must have begun on a lost page."""
    last = assembly.entries[-1] if assembly.entries else None
    if not last or part.number > 1 or part.page in assembly.headed:
        return False
    return not ends.runs_on(last.parts[-1].row, part.row)


def _header(row: Row) -> Columns | None:
    names = tuple("".join(joined(cell).lower().split()) for cell in row.cells)
    if "module" not in names:
        return None
    layout = next((each for each in LAYOUTS if set(each.columns) <= set(names)), None)
    return Columns(layout, names) if layout else None


def _fits(columns: Columns, table: Table) -> bool:
    """Only a table without any row of the expected kind says that its header was lost."""
    rows = [row for row in table.rows if len(row) == len(columns.names) and not row.is_blank]
    if any(_header(row) for row in rows) or any(columns.layout.recognises(columns.fields(row)) for row in rows):
        return True
    return _by_contents(table) is None


def _by_contents(table: Table) -> Columns | None:
    for layout in LAYOUTS:
        columns = Columns(layout, layout.columns)
        rows = [row for row in table.rows if len(row) == len(layout.columns)]
        if any(layout.recognises(columns.fields(row)) for row in rows):
            return columns
    return None


def _start_missing(layout: Layout, frame: Frame) -> ReadingWarning:
    message = f"The start of the {layout.name} schedule is missing: no header stands before this page."
    return ReadingWarning(page=frame.page, message=message)


def _place(part: Part, layout: Layout, assembly: Assembly, ends: PageEnds) -> None:
    if part.row.overrun:
        assembly.warnings.append(part.warning("Text reaches over the border of its cell and may be cut off."))
    last = assembly.entries[-1] if assembly.entries else None
    cut = last and part.number == 1 and last.layout is layout and ends.cut_between(last.parts[-1].row, part.row)
    is_rest = _is_rest(part, layout)
    if last and cut and (is_rest or last.completes_with(part)):
        last.parts.append(part)
    elif not is_rest or (part.number > 1 and ends.reaches_end(part.row)):
        assembly.entries.append(Entry(layout, [part]))
    else:
        message = "This is the rest of a row whose beginning is missing; it was left out."
        assembly.warnings.append(part.warning(message))


def _is_rest(part: Part, layout: Layout) -> bool:
    """Whether the keys are blank; on top of a page, the second half of a wrapped module may stand among them."""
    if part.is_blank(layout.keys):
        return True
    halved = part.number == 1 and not is_module(module_code(joined(part.fields["module"])))
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
