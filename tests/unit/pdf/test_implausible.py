"""Rows that no schedule has get a warning or are left out. They are never accepted without a warning."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.support.documents import handmade
from tests.support.documents.generate import print_by_portal
from tests.support.documents.reading import extract
from tests.support.documents.schedules import TESTS, Row
from tests.support.documents.variant_checks import schedule
from tests.support.documents.variants.editing import drawn_over
from tests.support.documents.variants.file_contents import cover_sheet, headers_and_footers
from upschedule.pdf.document import library_errors
from upschedule.pdf.errors import Damaged, Incomplete, TooComplex
from upschedule.timetable import event as printed_as

ONE: dict[str, Any] = {"activities": ["L1"], "days": ["Monday"], "times": ["08:30 - 09:20"], "venues": ["Oak 2-26"]}
RIGHT = handmade.lecture_cells(**ONE)


@pytest.mark.parametrize(
    ("changed", "warning"),
    [
        ({"module": "ABC 12"}, "not a module code"),
        ({"campus": ""}, "no campus"),
        ({"activities": [""]}, "no activity"),
        ({"times": ["01:00 - 02:00"]}, "starts at 01:00"),
    ],
)
def test_a_lecture_that_lacks_what_each_has_is_warned_of(changed: dict[str, object], warning: str) -> None:
    extraction = extract(handmade.lectures(RIGHT, handmade.lecture_cells(**(ONE | changed))))  # pyright: ignore[reportArgumentType]

    assert len(extraction.events) == 2
    assert [message for message in (found.message for found in extraction.warnings) if warning in message]
    assert all((found.page, found.row) == (1, 2) for found in extraction.warnings)


@pytest.mark.parametrize(
    ("column", "text", "warning"),
    [
        (0, ["ABC"], "not a module code"),
        (1, [], "no name"),
        (4, ["01:00 - 02:00"], "starts at 01:00"),
        (5, [], "no campus"),
        (6, [], "no venue"),
    ],
)
def test_a_test_that_lacks_what_each_has_is_warned_of(column: int, text: list[str], warning: str) -> None:
    cells = handmade.semester_test(day="Saturday", date="09 Aug 2025")
    right = handmade.semester_test(day="Saturday", date="09 Aug 2025")
    cells[column] = text

    extraction = extract(handmade.tests(right, cells, right))

    assert len(extraction.events) == 3
    assert [found.row for found in extraction.warnings if warning in found.message] == [2]


def fixed_random() -> Random:
    return Random(0)  # noqa: S311 - varied, not secret


def test_a_module_that_is_printed_twice_in_its_cell_is_left_out_with_a_warning() -> None:
    doubled = handmade.lecture_cells(module="ABC 124 ABC 124", **ONE)

    extraction = extract(handmade.lectures(RIGHT, doubled))

    assert [event.module for event in extraction.events] == ["ABC 123"]
    assert [found.row for found in extraction.warnings] == [2]


def test_headers_and_footers_of_a_print_are_one_warning_for_each_document() -> None:
    printed = schedule(0)

    extraction = extract(headers_and_footers(printed.data, fixed_random()))

    assert printed.pages > 1
    assert [found.page for found in extraction.warnings if "outside the table" in found.message] == [1]


def test_a_cover_sheet_is_named_by_its_page() -> None:
    extraction = extract(cover_sheet(schedule(1).data, fixed_random()))

    assert [found.page for found in extraction.warnings if "no table" in found.message] == [1]


@pytest.mark.parametrize("fault", [IndexError, SystemError, RuntimeError, ValueError, KeyError])
def test_what_the_library_raises_for_a_faulty_file_is_the_files_own_error(fault: type[Exception]) -> None:
    """The error is final, since another attempt would fail in the same way (R2.1)."""
    with pytest.raises(Damaged), library_errors():
        raise fault


@pytest.mark.parametrize("fault", [MemoryError, RecursionError])
def test_a_file_that_exhausts_the_library_is_too_complex(fault: type[Exception]) -> None:
    with pytest.raises(TooComplex), library_errors():
        raise fault


def test_a_cause_that_was_found_keeps_its_name() -> None:
    with pytest.raises(Incomplete), library_errors():
        raise Incomplete


def test_text_that_is_printed_over_other_text_is_warned_of() -> None:
    def write(page: object, _: Random) -> None:
        page.insert_text((470, 97), "!! Lab 9", fontsize=11)  # pyright: ignore[reportAttributeAccessIssue]

    printed = handmade.tests(handmade.semester_test(day="Saturday", date="09 Aug 2025"))

    extraction = extract(drawn_over(printed, write, fixed_random()))

    assert [found.row for found in extraction.warnings if "over each other" in found.message] == [1]


def test_a_column_that_no_schedule_has_is_named_once() -> None:
    kind = replace(TESTS, headers=(*TESTS.headers, "Seat"), borders=(*TESTS.borders, 720.0))
    rows = [
        Row([*handmade.semester_test(day="Saturday", date="09 Aug 2025"), [f"A{number}"]], [], []) for number in (1, 2)
    ]

    extraction = extract(print_by_portal(kind, rows, fixed_random()).data)

    assert len(extraction.events) == 2
    assert [found.message for found in extraction.warnings if "'seat'" in found.message] != []
    assert len(extraction.warnings) == 1


def test_columns_are_read_in_the_order_that_the_header_gives() -> None:
    order = (6, 0, 3, 2, 4, 5, 1)
    cells = handmade.semester_test(day="Saturday", date="09 Aug 2025")
    borders = (36.0, 230.0, 290.0, 368.0, 446.0, 524.0, 616.0, 660.0)
    kind = replace(TESTS, headers=tuple(TESTS.headers[index] for index in order), borders=borders)

    (event,) = extract(
        print_by_portal(kind, [Row([cells[index] for index in order], [], [])], fixed_random()).data
    ).events

    assert isinstance(event, printed_as.Test)
    assert (event.module, event.test, event.venues) == ("ABC 123", "Test1", ("Maple 3-7", "Oak 2-26"))
