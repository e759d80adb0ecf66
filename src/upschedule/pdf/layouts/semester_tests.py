"""Reads Semester Tests: each row is one dated test, with one line for each venue."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from upschedule.pdf.cells import Line
from upschedule.pdf.layouts.entry import Entry, Fields, Layout, Part
from upschedule.pdf.layouts.fields import (
    calendar_date,
    clock_period,
    date_key,
    is_doubled,
    is_module,
    is_unusual_hour,
    joined,
    module_code,
    weekday,
)
from upschedule.pdf.layouts.pairing import OPEN_ENDS
from upschedule.timetable.event import Day, ReadingWarning, Test, weekday_of

_DATED = ("day", "date", "time")
#: A line that leaves less room (points) fills its column.
_FILLED = 20.0
#: The number of names ending in a number that proves that all do.
_REGULAR_MIN = 4
_COLUMNS = ("module", "test", "day", "date", "time", "campus", "venue")


def _recognises(fields: Fields) -> bool:
    if clock_period(joined(fields["time"])):
        return calendar_date(joined(fields["date"])) is not None
    return bool(fields["venue"]) and not any(fields[column] for column in _DATED)


def _read(entries: Sequence[Entry]) -> Iterator[Test | ReadingWarning]:
    lines = [line for entry in entries for line in entry.lines("venue")]
    names = _Names(
        {line.text for line in lines},
        {line.text.split(" ")[0] for entry in entries for line in entry.lines("venue")[:1]},
        min((line.room for line in lines), default=_FILLED) < _FILLED,
    )
    for entry in entries:
        yield from _test(entry, names)


class _Names(NamedTuple):
    """What all rows tell about venues: whole lines, words that begin a cell, and whether some line fills its column.

    Where none does, no name is wrapped.
    """

    lines: set[str]
    beginnings: set[str]
    fill_column: bool


def _venues(entry: Entry, names: _Names) -> tuple[tuple[str, ...], list[ReadingWarning]]:
    """One venue for each line or each name over two lines, and warnings of breaks that may be within a name."""
    venues: list[list[Line]] = []
    warnings: list[ReadingWarning] = []
    for line in entry.lines("venue"):
        last = venues[-1] if venues else []
        if last and (last[-1].text.endswith(OPEN_ENDS) or joined([*last, line]) in names.lines):
            last.append(line)
            continue
        if last and names.fill_column and last[-1].wraps_to(line) and not _begins(line, last, names):
            warnings.append(entry.warning(f"{last[-1].text!r} and {line.text!r} may be one venue: check this test."))
        venues.append([line])
    return tuple(joined(venue) for venue in venues), warnings


def _begins(line: Line, before: Sequence[Line], names: _Names) -> bool:
    """Whether a line begins like a venue that is known to begin so, or like the venue before it."""
    first = line.text.split(" ")[0]
    return first in names.beginnings or any(first == each.text.split(" ")[0] for each in before)


def _sort_key(fields: Fields) -> str:
    return date_key(joined(fields["date"]))


def _is_regular(rows: Iterable[Fields]) -> bool:
    """Whether the name of each test ends in a number: one without it goes on after a page break."""
    names = [joined(fields["test"]) for fields in rows if fields["date"]]
    return len(names) >= _REGULAR_MIN and all(name[-1:].isdecimal() for name in names)


def _is_whole(entry: Entry) -> bool:
    """Whether the test has the number at the end of its name."""
    return entry.text("test")[-1:].isdecimal()


def _continues(entry: Entry, rest: Part, *, regular: bool) -> bool:
    """Whether the rest has just what the row's name lacks; its venues tell nothing about the test."""
    return not regular or bool(rest.fields["test"]) is not _is_whole(entry)


def _warnings(entry: Entry, test: Test) -> Iterator[ReadingWarning]:
    """Warns of each part that a test always has and this one lacks."""
    if not is_module(test.module):
        yield entry.warning(f"{test.module!r} is not a module code: check this test.")
    if is_unusual_hour(test.start):
        yield entry.warning(f"{test.module} starts at {test.start}: check the time of this test.")
    missing = [
        name for name, text in (("campus", test.campus), ("venue", test.venues), ("name", test.test)) if not text
    ]
    if missing:
        yield entry.warning(f"{test.module} has no {' and no '.join(missing)}: check this test.")


def _test(entry: Entry, names: _Names) -> Iterator[Test | ReadingWarning]:
    date = calendar_date(entry.text("date"))
    period = clock_period(entry.text("time"))
    module = module_code(entry.text("module"))
    if not (date and period and module) or is_doubled(module):
        yield entry.warning("The module, date or time of this test cannot be read; the test was left out.")
        return
    if period[1] <= period[0]:
        yield entry.warning(f"{module} ends at {period[1]}, before it starts ({period[0]}); the test was left out.")
        return
    day: Day | None = weekday(entry.text("day"))
    if day != weekday_of(date):
        yield entry.warning(f"{module}: {date:%d %b %Y} is a {weekday_of(date)}, but {entry.text('day')!r} is printed.")
    venues, warnings = _venues(entry, names)
    yield from warnings
    test = Test(
        module=module,
        test=entry.text("test"),
        day=day or weekday_of(date),
        date=date,
        start=period[0],
        end=period[1],
        campus=entry.text("campus"),
        venues=venues,
        page=entry.page,
        boxes=entry.boxes,
    )
    yield test
    yield from _warnings(entry, test)


LAYOUT = Layout(
    name="Semester Tests",
    columns=_COLUMNS,
    keys=("module", *_DATED),
    recognises=_recognises,
    sort_key=_sort_key,
    is_regular=_is_regular,
    is_whole=_is_whole,
    continues=_continues,
    read=_read,
)
