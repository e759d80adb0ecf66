"""Documents as cards."""

import datetime as dt
from typing import Any
from uuid import UUID

import pytest

from tests.support.builders.events import a_lecture, an_exam
from upschedule.processing.job import JobError, JobStatus, Status
from upschedule.timetable.event import Extraction
from upschedule.web.pages.documents import Card, documents

_ID = UUID(int=1)


def _card(**fields: Any) -> Card:
    usual: dict[str, Any] = {
        "id": _ID, "status": Status.QUEUED, "position": None, "pages": None, "pages_read": 0, "attempt": 0,
        "file_name": "lectures.pdf", "size_bytes": 3_500, "created_at": dt.datetime(2026, 8, 1, tzinfo=dt.UTC),
        "finished_at": None, "error": None, "version": 1,
    }  # fmt: skip
    read = fields.pop("read", {})
    return documents([JobStatus(**(usual | fields))], read).cards[0]


@pytest.mark.parametrize(
    ("fields", "state", "progress"),
    [
        ({}, "Waiting to be read", None),
        ({"position": 3}, "Waiting: number 3 in the queue", None),
        ({"status": Status.PROCESSING}, "Opening the document", None),
        ({"status": Status.PROCESSING, "pages": 4, "pages_read": 1}, "Reading page 2 of 4", 0.25),
        ({"status": Status.PROCESSING, "pages": 4, "pages_read": 4}, "Reading page 4 of 4", 1.0),
    ],
)
def test_each_stage_has_its_sentence(fields: dict[str, Any], state: str, progress: float | None) -> None:
    card = _card(**fields)
    assert (card.state, card.progress, card.pending) == (state, progress, True)


def test_a_document_that_was_read_says_how_much_it_holds() -> None:
    extraction = Extraction(events=(a_lecture(), a_lecture(day="Friday"), an_exam()), pages=1)
    card = _card(status=Status.COMPLETED, read={_ID: extraction})
    assert (card.state, card.pending) == ("Read: 2 weekly classes, 1 exam", False)


@pytest.mark.parametrize("in_file", [True, False])
def test_trying_again_is_offered_only_where_it_may_help(*, in_file: bool) -> None:
    """Reading the same file again cannot remove a cause in the file."""
    error = JobError(code="pdf-scanned", title="A scan", detail="Upload the PDF itself.", in_file=in_file)
    card = _card(status=Status.FAILED, error=error)
    assert (card.state, card.can_retry) == ("Upload the PDF itself.", not in_file)


@pytest.mark.parametrize(("size_bytes", "size"), [(10, "1 kB"), (83_211, "83 kB"), (2_340_000, "2.3 MB")])
def test_sizes_are_shown_in_round_units(size_bytes: int, size: str) -> None:
    assert _card(size_bytes=size_bytes).size == size
