"""Rows that a page break cuts where only the smallest text of a row still fits."""

from random import Random

from tests.support.documents import writers
from tests.support.documents.flow import Page, Text
from tests.support.documents.reading import extract
from upschedule.timetable import event as printed

_COLUMNS = (36.0, 92.0, 135.0, 213.0, 291.0, 369.0, 461.0, 652.0)
_HEADER = ("Module", "Test", "Day", "Date", "Time", "Campus", "Venue")
_LECTURE_COLUMNS = (36.0, 92.0, 135.0, 177.0, 213.0, 262.0, 326.0, 397.0, 553.0, 638.0, 744.0)
_LECTURE_HEADER = (
    "Module",
    "Offered",
    "Group",
    "Lang",
    "Activity",
    "Day",
    "Time",
    "Venue",
    "Campus",
    "Study Prog",
)
_WHOLE = ("ABC 123", "Test1", "Saturday", "09 Aug 2025", "10:00 - 11:30", "HATFIELD", "Maple 3-7")
_DATED = ("Test2", "Monday", "11 Aug 2025", "10:00 - 11:30", "HATFIELD", "Oak 2-26")
_BLANK = ("",) * 6
_LEADING = 13.0


def _page(top: float, *rows: tuple[str, ...], columns: tuple[float, ...] = _COLUMNS, band: float = 0.0) -> Page:
    """A page with one line for each row under a rule at `top`, and below them a blank row of the height `band`."""
    page = Page()
    heights = [top - _LEADING * index for index in range(len(rows) + 1)]
    if band:
        heights.append(heights[-1] - band)
    for row, baseline in zip(rows, heights, strict=False):
        page.texts.extend(
            Text(left + 5.4, baseline - 10.3, cell, 10) for cell, left in zip(row, columns, strict=False) if cell
        )
    page.rules.extend((columns[0], at, columns[-1] - columns[0], 0.5) for at in heights)
    page.rules.extend((at, heights[-1], 0.5, heights[0] - heights[-1]) for at in columns)
    return page


def _read(before: tuple[str, ...], after: tuple[str, ...]) -> printed.Extraction:
    pages = [_page(80.0, _HEADER, _WHOLE, before), _page(559.0, after)]
    return extract(writers.portal(pages, Random(0)))  # noqa: S311 - fixed


def test_a_row_of_which_only_the_module_fits_on_the_page_goes_on_with_all_its_other_cells() -> None:
    extraction = _read(("ABC 124", *_BLANK), ("", *_DATED))

    event = extraction.events[1]
    assert isinstance(event, printed.Test)
    assert (event.module, event.test, event.venues, event.page) == ("ABC 124", "Test2", ("Oak 2-26",), 1)
    assert extraction.warnings == ()


def test_a_row_of_which_only_the_first_half_of_the_module_fits_is_put_together_again() -> None:
    extraction = _read(("ABC", *_BLANK), ("124", *_DATED))

    assert [event.module for event in extraction.events] == ["ABC 123", "ABC 124"]
    assert extraction.warnings == ()


def test_a_row_of_which_only_the_study_programme_fits_goes_on_with_its_classes() -> None:
    lecture = ("S1", "G01", "E", "L1", "Monday", "08:30 - 09:20", "Maple 3-7", "HATFIELD")
    pages = [
        _page(80.0, _LECTURE_HEADER, ("ABC 123", *lecture, "BSc"), ("",) * 9 + ("BEng",), columns=_LECTURE_COLUMNS),
        _page(559.0, ("ABC 124", *lecture, ""), columns=_LECTURE_COLUMNS),
    ]

    extraction = extract(writers.portal(pages, Random(0)))  # noqa: S311 - fixed

    events = [event for event in extraction.events if isinstance(event, printed.Lecture)]
    assert [(event.module, event.study_programmes) for event in events] == [
        ("ABC 123", ("BSc",)),
        ("ABC 124", ("BEng",)),
    ]
    assert extraction.warnings == ()


def test_a_row_without_its_date_is_no_beginning_of_the_whole_row_after_it() -> None:
    extraction = _read(("ABC 124", *_BLANK), ("ABC 125", *_DATED))

    assert [event.module for event in extraction.events] == ["ABC 123", "ABC 125"]
    assert [warning.page for warning in extraction.warnings] == [1]


def test_a_blank_row_lower_than_any_line_of_text_needs_no_warning() -> None:
    after = _page(559.0, ("ABC 124", *_DATED))

    low, high = (
        extract(writers.portal([_page(80.0, _HEADER, _WHOLE, band=band), after], Random(0)))  # noqa: S311 - fixed
        for band in (9.7, 14.0)
    )

    assert low.warnings == ()
    assert [warning.page for warning in high.warnings] == [1]


def test_a_table_that_fills_its_last_page_may_go_on_on_a_page_that_is_missing() -> None:
    full, complete = (
        extract(writers.portal([_page(80.0, _HEADER, _WHOLE), _page(top, ("ABC 124", *_DATED))], Random(0)))  # noqa: S311 - fixed
        for top in (55.0, 559.0)
    )

    assert [(warning.page, "no page is missing" in warning.message) for warning in full.warnings][-1] == (2, True)
    assert complete.warnings == ()


def test_an_empty_page_at_the_end_is_no_loss() -> None:
    pages = [_page(80.0, _HEADER, _WHOLE), Page()]

    extraction = extract(writers.portal(pages, Random(0)))  # noqa: S311 - fixed

    assert (len(extraction.events), extraction.pages, extraction.warnings) == (1, 2, ())


def test_rests_that_follow_a_rest_without_its_row_are_left_out_and_go_to_no_other_row() -> None:
    pages = [
        _page(559.0, ("ABC 123", *_DATED)),
        _page(559.0, _HEADER, ("",) * 6 + ("Oak 1",), ("",) * 6 + ("Oak 2",), _WHOLE),
    ]

    extraction = extract(writers.portal(pages, Random(0)))  # noqa: S311 - fixed

    assert [event.venues for event in extraction.events if isinstance(event, printed.Test)] == [
        ("Oak 2-26",),
        ("Maple 3-7",),
    ]
    assert len([found for found in extraction.warnings if "left out" in found.message]) == 2
