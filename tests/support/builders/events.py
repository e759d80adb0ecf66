"""Entries of an invented schedule of the second semester."""

import datetime as dt
from typing import Any

from tests.support.builders.timetable import exam, lecture, semester_test
from upschedule.timetable.event import Box, Exam, Lecture, Test


def a_lecture(**fields: Any) -> Lecture:
    """`ABC 123 G01 L1`, Monday 08:30 to 09:20."""
    return lecture(**({"offered": "S2"} | fields))


def a_test(**fields: Any) -> Test:
    """`ABC 123 Test1` on Saturday, 22 August 2026, 10:00 to 11:30."""
    return semester_test(**({"date": dt.date(2026, 8, 22), "venues": ("Oak 2-26",)} | fields))


def an_exam(**fields: Any) -> Exam:
    """`ABC 123 paper 1` on 3 November 2026 at 08:30, final."""
    usual = {"date": dt.date(2026, 11, 3), "start": "08:30", "venues": ("Great Hall",)}
    return exam(**(usual | fields))


def box(page: int, row: int) -> Box:
    return Box(page=page, left=36, top=50, right=700, bottom=60, row=row)
