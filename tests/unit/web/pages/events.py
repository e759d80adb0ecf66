"""Entries of an invented schedule."""

import datetime as dt
from typing import Any

from upschedule.timetable.event import Box, Exam, Lecture, Test


def a_lecture(**fields: Any) -> Lecture:
    """`ABC 123 G01 L1`, Monday 08:30 to 09:20 in the second semester."""
    usual: dict[str, Any] = {
        "module": "ABC 123", "offered": "S2", "group": "G01", "language": "E", "activity": "L1", "day": "Monday",
        "start": "08:30", "end": "09:20", "venues": ("Maple 3-7",), "campus": "HATFIELD", "study_programmes": (),
        "page": 1,
    }  # fmt: skip
    return Lecture(**(usual | fields))


def a_test(**fields: Any) -> Test:
    """`ABC 123 Test1` on Saturday, 22 August 2026."""
    usual: dict[str, Any] = {
        "module": "ABC 123", "test": "Test1", "day": "Saturday", "date": dt.date(2026, 8, 22), "start": "10:00",
        "end": "11:30", "campus": "HATFIELD", "venues": ("Oak 2-26",), "page": 1,
    }  # fmt: skip
    return Test(**(usual | fields))


def an_exam(**fields: Any) -> Exam:
    """`ABC 123 paper 1` on 3 November 2026, final."""
    usual: dict[str, Any] = {
        "status": "FINAL", "module": "ABC 123", "paper": "1", "activity": "Exam", "date": dt.date(2026, 11, 3),
        "start": "08:30", "module_campus": "HATF", "exam_campus": "HATFIELD", "venues": ("Great Hall",),
        "comments": "", "page": 1,
    }  # fmt: skip
    return Exam(**(usual | fields))


def box(page: int, row: int) -> Box:
    return Box(page=page, left=36, top=50, right=700, bottom=60, row=row)
