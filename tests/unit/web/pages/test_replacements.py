"""Sentences about the changes in a newer printing."""

import datetime as dt
from uuid import UUID

import pytest

from tests.support.builders.calendars import document
from tests.support.builders.events import a_lecture, a_test, an_exam
from upschedule.calendars.replacing import plan
from upschedule.processing.job import JobStatus, Status
from upschedule.timetable.changes import changes
from upschedule.timetable.event import Event
from upschedule.web.pages.replacements import change_line, replacement_views


def _job(number: int) -> JobStatus:
    return JobStatus(
        id=UUID(int=number), status=Status.COMPLETED, position=None, pages=1, pages_read=1, attempt=1,
        file_name=f"{number}.pdf", size_bytes=1, created_at=dt.datetime(2026, 8, number, 22, 30, tzinfo=dt.UTC),
        finished_at=None, error=None, version=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        (a_lecture(), a_lecture(day="Tuesday"), ("Monday 08:30~09:20", "Tuesday 08:30~09:20")),
        (a_lecture(), a_lecture(venues=("A", "B", "C", "D", "E")), ("Maple 3-7", "A; B; C and 2 more")),
        (a_lecture(venues=()), a_lecture(), ("no venue", "Maple 3-7")),
        (
            a_test(),
            a_test(date=dt.date(2026, 8, 29), day="Saturday", venues=("B",)),
            ("Sat 22 August 2026 10:00~11:30, Oak 2-26", "Sat 29 August 2026 10:00~11:30, B"),
        ),
        (an_exam(status="PROVISIONAL"), an_exam(), ("status: PROVISIONAL", "status: FINAL")),
        (an_exam(comments="Bring a pen"), an_exam(), ("comments: Bring a pen", "comments: none")),
        (None, an_exam(), ("", "Tue 3 November 2026 08:30, Great Hall")),
        (a_lecture(), None, ("Monday 08:30~09:20, Maple 3-7", "")),
    ],
)
def test_only_differences_are_listed(before: Event | None, after: Event | None, sentences: tuple[str, str]) -> None:
    (change,) = changes([before] if before else [], [after] if after else [])
    line = change_line(change)
    assert (line.before, line.after) == tuple(text.replace("~", "\N{EN DASH}") for text in sentences)


def test_a_question_names_both_printings_and_when_they_were_added() -> None:
    """The time is South African: after 22:00 UTC it is the next day."""
    documents = [document(1, a_lecture()), document(2, a_lecture(day="Friday", venues=("A",)))]
    (asked,) = replacement_views(plan(documents, [UUID(int=1)], ()), [_job(2), _job(1)])
    assert (asked.asked, asked.newer.name, asked.newer.added) == (True, "2.pdf", "added 3 August 2026, 00:30")
    assert [older.name for older in asked.older] == ["1.pdf"]
    assert asked.summary == "1 moved, 1 new venue"
    assert [line.labels for line in asked.lines] == [("Moved", "New venue")]
    (done,) = replacement_views(plan(documents, [UUID(int=2)], [(UUID(int=1), UUID(int=2))]), [_job(2), _job(1)])
    assert (done.asked, done.document, done.summary) == (False, UUID(int=2), "1 moved, 1 new venue")
