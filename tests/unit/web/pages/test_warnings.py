"""Doubts beside their rows."""

from tests.support.builders.events import a_lecture, a_test, box
from upschedule.timetable.event import ReadingWarning
from upschedule.web.pages.warnings import Doubts, Remark, doubts, joined


def test_a_doubt_stands_beside_the_entry_of_its_row() -> None:
    """A row of several classes says it once; a row continued on the next page is the same row."""
    named = [
        ("monday", a_lecture(boxes=(box(1, 3),))),
        ("tuesday", a_lecture(day="Tuesday", boxes=(box(1, 3), box(2, 1)))),
        ("other", a_lecture(day="Friday", boxes=(box(2, 2),))),
    ]
    warnings = [ReadingWarning(page=1, row=3, message="First."), ReadingWarning(page=2, row=1, message="Second.")]
    found = doubts(named, warnings, document="lectures.pdf")
    assert found.beside == {
        "monday": (Remark(message="First.", place="lectures.pdf, page 1, row 3"),),
        "tuesday": (Remark(message="Second.", place="lectures.pdf, page 2, row 1"),),
    }
    assert found.others == ()


def test_a_doubt_about_no_entry_stands_apart() -> None:
    """A row that was left out, or a whole page."""
    warnings = [ReadingWarning(page=1, row=9, message="Left out."), ReadingWarning(page=2, message="Whole page.")]
    found = doubts([("a", a_test(boxes=(box(1, 1),)))], warnings, document="")
    assert found.beside == {}
    assert [remark.place for remark in found.others] == ["page 1, row 9", "page 2"]


def test_doubts_of_two_documents_about_one_entry_stand_together() -> None:
    one, two = Remark(message="One.", place="a"), Remark(message="Two.", place="b")
    together = joined([Doubts(beside={"e": (one,)}), Doubts(beside={"e": (two,)}, others=(one,))])
    assert together == Doubts(beside={"e": (one, two)}, others=(one,))
