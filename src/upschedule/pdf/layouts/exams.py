"""Exams: one dated exam a row, in one venue; its end is not printed."""

from collections.abc import Iterator, Sequence

from upschedule.pdf.layouts.entry import Entry, Fields, Layout
from upschedule.pdf.layouts.fields import calendar_date, clock_time, joined, module_code
from upschedule.timetable.event import Exam, ReadingWarning

_COLUMNS = (
    "status",
    "module",
    "paper",
    "activity",
    "date",
    "starttime",
    "modulecampus",
    "examcampus",
    "venue",
    "examcomments",
)


def _recognises(fields: Fields) -> bool:
    return calendar_date(joined(fields["date"])) is not None and clock_time(joined(fields["starttime"])) is not None


def _read(entries: Sequence[Entry]) -> Iterator[Exam | ReadingWarning]:
    for entry in entries:
        yield _exam(entry)


def _exam(entry: Entry) -> Exam | ReadingWarning:
    date = calendar_date(entry.text("date"))
    start = clock_time(entry.text("starttime"))
    module = module_code(entry.text("module"))
    if not (date and start and module):
        return entry.warning("The module, date or start time of this exam cannot be read; the exam was left out.")
    venue = entry.text("venue")
    return Exam(
        status=entry.text("status"),
        module=module,
        paper=entry.text("paper"),
        activity=entry.text("activity"),
        date=date,
        start=start,
        module_campus=entry.text("modulecampus"),
        exam_campus=entry.text("examcampus"),
        venues=(venue,) if venue else (),
        comments=entry.text("examcomments"),
        page=entry.page,
        boxes=entry.boxes,
    )


LAYOUT = Layout(
    name="Exams", columns=_COLUMNS, keys=("module", "paper", "date", "starttime"), recognises=_recognises, read=_read
)
