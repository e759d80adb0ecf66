"""Reads Exams: each row is one dated exam in one venue; its end is not printed."""

from collections.abc import Iterable, Iterator, Sequence

from upschedule.pdf.layouts.entry import Entry, Fields, Layout, Part
from upschedule.pdf.layouts.fields import (
    calendar_date,
    clock_time,
    date_key,
    is_doubled,
    is_module,
    is_unusual_hour,
    joined,
    module_code,
)
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
        exam = _exam(entry)
        yield exam
        if isinstance(exam, Exam):
            yield from _warnings(entry, exam)


def _warnings(entry: Entry, exam: Exam) -> Iterator[ReadingWarning]:
    """Warns of each part that an exam always has and this one lacks."""
    if not is_module(exam.module):
        yield entry.warning(f"{exam.module!r} is not a module code: check this exam.")
    if is_unusual_hour(exam.start):
        yield entry.warning(f"{exam.module} starts at {exam.start}: check the time of this exam.")
    if not exam.module_campus and not exam.exam_campus:
        yield entry.warning(f"{exam.module} has no campus: check this exam.")


def _sort_key(fields: Fields) -> str:
    return date_key(joined(fields["date"]))


def _is_regular(_rows: Iterable[Fields]) -> bool:
    """Exams have no numbers that go on in the next row."""
    return False


def _is_whole(_entry: Entry) -> bool:
    """Nothing in the row of an exam tells that its rest is missing."""
    return True


def _continues(_entry: Entry, _rest: Part, *, regular: bool) -> bool:  # noqa: ARG001 - as the other layouts
    """Nothing in an exam's cells tells its pieces from those of another exam."""
    return True


def _exam(entry: Entry) -> Exam | ReadingWarning:
    date = calendar_date(entry.text("date"))
    start = clock_time(entry.text("starttime"))
    module = module_code(entry.text("module"))
    if not (date and start and module) or is_doubled(module):
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
    name="Exams",
    columns=_COLUMNS,
    keys=("module", "paper", "date", "starttime"),
    recognises=_recognises,
    sort_key=_sort_key,
    is_regular=_is_regular,
    is_whole=_is_whole,
    continues=_continues,
    read=_read,
)
