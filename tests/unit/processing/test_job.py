"""The states of a job and the transitions between them."""

import datetime as dt
import re
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tests.support.paths import ROOT
from upschedule.processing.job import FINAL, MOVES, Job, JobError, Status, job_status

_DRAWING = ROOT / "docs/job-states.md"
_ARROW = re.compile(r"^\s*(\w+) --> (\w+): (.+)$", re.MULTILINE)


def a_job(**changes: object) -> Job:
    job = Job(
        id=UUID(int=1),
        account_id=UUID(int=2),
        file_name="a.pdf",
        size_bytes=10,
        status=Status.PROCESSING,
        attempt=1,
        run=1,
        pages=None,
        pages_read=0,
        version=3,
        created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        started_at=None,
        finished_at=None,
        error=None,
        object_key="uploads/x.pdf",
        reader_version="1",
        request_id=None,
    )
    return msgspec.structs.replace(job, **changes)


def test_the_drawing_shows_every_move_with_its_trigger_and_no_other() -> None:
    drawn = set(_ARROW.findall(_DRAWING.read_text(encoding="utf-8")))
    assert drawn == {(str(move.source), str(move.target), move.trigger) for move in MOVES}


def test_every_state_can_be_reached_and_a_final_one_is_left_for_its_owner_or_after_its_release_was_left() -> None:
    reached = {Status.QUEUED} | {move.target for move in MOVES}
    assert reached == set(Status)
    triggers = [move.trigger for move in MOVES if move.source in FINAL]
    assert len(triggers) == len(FINAL)
    assert all(
        re.fullmatch(r"its owner .+, or the release that read it was abandoned", trigger) for trigger in triggers
    )


@pytest.mark.parametrize(
    ("status", "release", "read_again"),
    [
        (Status.COMPLETED, "1.2", False),
        (Status.FAILED, "1.2", False),
        (Status.QUEUED, "1.2", True),
        (Status.PROCESSING, "1.2", True),
        (Status.PROCESSING, None, False),
    ],
)
def test_a_job_that_waits_with_the_mark_of_a_release_is_read_again(
    status: Status, release: str | None, *, read_again: bool
) -> None:
    assert a_job(status=status, provisional_release=release).is_read_again is read_again


@pytest.mark.parametrize(
    ("changes", "answers"),
    [
        ({"status": Status.QUEUED}, True),
        ({"status": Status.PROCESSING}, True),
        ({"status": Status.COMPLETED, "reader_version": "2"}, True),
        ({"status": Status.COMPLETED, "reader_version": "1"}, False),
        ({"status": Status.FAILED, "reader_version": "2", "error": ("pdf-scan", True)}, True),
        ({"status": Status.FAILED, "reader_version": "1", "error": ("pdf-scan", True)}, False),
        ({"status": Status.FAILED, "reader_version": "2", "error": ("reading-failed", False)}, False),
    ],
)
def test_known_bytes_are_read_again_only_where_the_result_may_differ(changes: dict[str, Any], *, answers: bool) -> None:
    if isinstance(changes.get("error"), tuple):
        code, in_file = changes["error"]
        changes = changes | {"error": JobError(code=code, title="t", detail="d", in_file=in_file)}
    assert a_job(**changes).answers("2") is answers


def test_a_position_is_given_only_while_queued() -> None:
    assert job_status(a_job(status=Status.QUEUED), position=3).position == 3
    assert job_status(a_job(status=Status.PROCESSING), position=3).position is None
