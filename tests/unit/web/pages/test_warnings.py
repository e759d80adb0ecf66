"""Warnings beside the entries of their rows."""

from tests.support.builders.events import a_lecture, a_test, box
from upschedule.timetable.event import ReadingWarning
from upschedule.web.pages.warnings import EntryWarnings, PlacedWarning, entry_warnings, joined_warnings


def test_a_warning_is_shown_beside_the_entry_of_its_row() -> None:
    """A row with several classes shows it once. A row that continues on the next page is the same row."""
    named = [
        ("monday", a_lecture(boxes=(box(1, 3),))),
        ("tuesday", a_lecture(day="Tuesday", boxes=(box(1, 3), box(2, 1)))),
        ("other", a_lecture(day="Friday", boxes=(box(2, 2),))),
    ]
    warnings = [ReadingWarning(page=1, row=3, message="First."), ReadingWarning(page=2, row=1, message="Second.")]
    found = entry_warnings(named, warnings, document="lectures.pdf")
    assert found.beside == {
        "monday": (PlacedWarning(message="First.", place="lectures.pdf, page 1, row 3"),),
        "tuesday": (PlacedWarning(message="Second.", place="lectures.pdf, page 2, row 1"),),
    }
    assert found.others == ()


def test_a_warning_without_an_entry_is_shown_apart() -> None:
    """The warning is about a row that was left out, or about a whole page."""
    warnings = [ReadingWarning(page=1, row=9, message="Left out."), ReadingWarning(page=2, message="Whole page.")]
    found = entry_warnings([("a", a_test(boxes=(box(1, 1),)))], warnings, document="")
    assert found.beside == {}
    assert [warning.place for warning in found.others] == ["page 1, row 9", "page 2"]


def test_warnings_of_two_documents_about_one_entry_are_joined() -> None:
    one, two = PlacedWarning(message="One.", place="a"), PlacedWarning(message="Two.", place="b")
    together = joined_warnings(
        [EntryWarnings(beside={"e": (one,)}), EntryWarnings(beside={"e": (two,)}, others=(one,))]
    )
    assert together == EntryWarnings(beside={"e": (one, two)}, others=(one,))
