"""Semester Tests: one dated test a row, a venue a line."""

from collections.abc import Iterator, Sequence

from upschedule.pdf.layouts.entry import Entry, Fields, Layout
from upschedule.pdf.layouts.fields import calendar_date, clock_period, joined, module_code, weekday
from upschedule.timetable.event import Day, ReadingWarning, Test, weekday_of

_DATED = ("day", "date", "time")
_COLUMNS = ("module", "test", "day", "date", "time", "campus", "venue")


def _recognises(fields: Fields) -> bool:
    if clock_period(joined(fields["time"])):
        return calendar_date(joined(fields["date"])) is not None
    return bool(fields["venue"]) and not any(fields[column] for column in _DATED)


def _read(entries: Sequence[Entry]) -> Iterator[Test | ReadingWarning]:
    for entry in entries:
        yield from _test(entry)


def _test(entry: Entry) -> Iterator[Test | ReadingWarning]:
    date = calendar_date(entry.text("date"))
    period = clock_period(entry.text("time"))
    module = module_code(entry.text("module"))
    if not (date and period and module):
        yield entry.warning("The module, date or time of this test cannot be read; the test was left out.")
        return
    if period[1] <= period[0]:
        yield entry.warning(f"{module} ends at {period[1]}, before it starts ({period[0]}); the test was left out.")
        return
    day: Day | None = weekday(entry.text("day"))
    if day != weekday_of(date):
        yield entry.warning(f"{module}: {date:%d %b %Y} is a {weekday_of(date)}, but {entry.text('day')!r} is printed.")
    yield Test(
        module=module,
        test=entry.text("test"),
        day=day or weekday_of(date),
        date=date,
        start=period[0],
        end=period[1],
        campus=entry.text("campus"),
        venues=tuple(line.text for line in entry.lines("venue")),
        page=entry.page,
        boxes=entry.boxes,
    )


LAYOUT = Layout(name="Semester Tests", columns=_COLUMNS, keys=("module", *_DATED), recognises=_recognises, read=_read)
