"""Rows written by hand, for one behaviour at a time."""

from random import Random

from tests.support.documents.generate import print_by_portal
from tests.support.documents.schedules import EXAMS, LECTURES, TESTS, Cell, Row


def lectures(*rows: list[Cell]) -> bytes:
    return print_by_portal(LECTURES, [Row(cells, [], []) for cells in rows], Random(0)).data  # noqa: S311 - fixed


def tests(*rows: list[Cell]) -> bytes:
    return print_by_portal(TESTS, [Row(cells, [], []) for cells in rows], Random(0)).data  # noqa: S311 - fixed


def exams(*rows: list[Cell]) -> bytes:
    return print_by_portal(EXAMS, [Row(cells, [], []) for cells in rows], Random(0)).data  # noqa: S311 - fixed


def lecture_cells(
    *,
    activities: Cell,
    days: Cell,
    times: Cell,
    venues: Cell,
    module: str = "ABC 123",
    language: str = "E",
    campus: str = "HATFIELD",
    programmes: Cell | None = None,
) -> list[Cell]:
    head: list[Cell] = [[module], ["S1"], ["G01"], [language]]
    return [*head, activities, days, times, venues, [campus], programmes or []]


def semester_test(*, day: str, date: str, time: str = "10:00 - 11:30") -> list[Cell]:
    return [["ABC 123"], ["Test1"], [day], [date], [time], ["HATFIELD"], ["Maple 3-7", "Oak 2-26"]]
