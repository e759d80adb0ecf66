"""Schedules of one student, printed as the portal prints them, with all that the page must make of them."""

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.support.documents import writers
from tests.support.documents.flow import Flow
from tests.support.documents.schedules import EXAMS, LECTURES, TESTS, Kind, Row
from tests.support.documents.writers import HELVETICA
from upschedule.timetable.event import DAYS

#: A group's classes: module, group, then activity, weekday, times and room of each.
LECTURE_ROWS = (
    ("ABC 123", "G01", ("L1", 0, "08:30 - 09:20", "Maple 3-7"), ("L2", 3, "10:30 - 11:20", "Oak 2-26")),
    ("ABC 123", "P01", ("P1", 1, "14:30 - 17:20", "Computatorium Red Lab")),
    ("ABC 123", "P02", ("P1", 2, "14:30 - 17:20", "Computatorium Grey Lab")),
    ("XYZ 214", "G01", ("L1", 0, "08:30 - 10:20", "Great Hall")),
)
#: The same, printed again: a class moved, one at another time, one in another room, one gone and one new.
NEWER_LECTURE_ROWS = (
    ("ABC 123", "G01", ("L1", 1, "08:30 - 09:20", "Maple 3-7")),
    ("ABC 123", "P01", ("P1", 1, "14:30 - 17:20", "Computatorium Red Lab")),
    ("ABC 123", "P02", ("P1", 2, "13:30 - 16:20", "Computatorium Grey Lab")),
    ("XYZ 214", "G01", ("L1", 0, "08:30 - 10:20", "Small Hall")),
    ("NEW 999", "G01", ("L1", 4, "08:30 - 09:20", "Oak 2-26")),
)
TEST_ROWS = (
    ("ABC 123", "Test1", dt.date(2026, 8, 22), "10:00 - 11:30", ("Maple 3-7", "Oak 2-26")),
    ("XYZ 214", "Test1", dt.date(2026, 9, 12), "08:00 - 09:30", ("Great Hall",)),
)
EXAM_ROWS = (
    ("FINAL", "ABC 123", dt.date(2026, 11, 3), "Great Hall"),
    ("PROVISIONAL", "XYZ 214", dt.date(2026, 11, 9), ""),
)


def lectures(directory: Path, rows: Sequence[tuple[object, ...]] = LECTURE_ROWS, name: str = "lectures.pdf") -> Path:
    """A schedule of lectures in the second semester."""
    return _printed(directory / name, LECTURES, map(_lecture_row, rows))


def semester_tests(directory: Path, *, weekday: str = "", years_later: int = 0) -> Path:
    """Tests in 2026, which decide the year of the lectures. `weekday` is printed instead of the right one.

    Tests of another year are on the same weekdays.
    """
    rows: list[Row] = []
    for module, name, first_date, time, venues in TEST_ROWS:
        date = first_date + dt.timedelta(weeks=52 * years_later)
        day = weekday or DAYS[date.weekday()]
        cells = [[module], [name], [day], [f"{date:%d %b %Y}"], [time], ["HATFIELD"], list(venues)]
        rows.append(Row(cells, [], []))
    return _printed(directory / "tests.pdf", TESTS, rows)


def exams(directory: Path) -> Path:
    """One final, one not."""
    rows = [
        Row(
            [
                [status], [module], ["1"], ["Exam"], [f"{date:%d %b %Y}".upper()], ["08:30"], ["HATF"], ["HATFIELD"],
                [venue] if venue else [], [],
            ],
            [], [],
        )
        for status, module, date, venue in EXAM_ROWS
    ]  # fmt: skip
    return _printed(directory / "exams.pdf", EXAMS, rows)


def long_lectures(directory: Path, groups: int) -> Path:
    """So many groups that reading them takes a while."""
    rows = [
        (f"ABC {100 + number}", "G01", *((f"L{n + 1}", n % 5, "08:30 - 09:20", "Maple 3-7") for n in range(8)))
        for number in range(groups)
    ]
    return lectures(directory, rows, "everything.pdf")


def _lecture_row(row: tuple[Any, ...]) -> Row:
    module, group, *classes = row
    columns: list[list[str]] = [[], [], [], []]
    for activity, day, time, venue in classes:
        for column, text in zip(columns, (activity, DAYS[day], time, venue), strict=True):
            column.append(text)
    return Row([[module], ["S2"], [group], ["E"], *columns, ["HATFIELD"], []], [], [], group[0])


def _printed(path: Path, kind: Kind, rows: Iterable[Row]) -> Path:
    rng = Random(1)  # noqa: S311 - varied, not secret
    flow = Flow(kind, HELVETICA, rng)
    flow.lay_out(list(rows))
    flow.close()
    path.write_bytes(writers.portal(flow.pages, rng))
    return path
