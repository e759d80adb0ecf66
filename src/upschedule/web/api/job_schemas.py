"""A job as its owner sees it."""

import base64
import datetime as dt
from uuid import UUID

import msgspec

from upschedule.errors import FieldError, Problem, reference
from upschedule.processing.job import JobError, JobStatus, Status
from upschedule.processing.service import Cursor, JobPage
from upschedule.web.http.errors import InvalidRequest
from upschedule.web.http.problems import causes, http_status_for

JOBS_PATH = "/api/v1/jobs"


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """`position` counts from 1 while queued. `error` is there once the reading has failed for good."""

    id: UUID
    status: Status
    position: int | None
    pages: int | None
    pages_read: int
    attempt: int
    file_name: str
    size_bytes: int
    created_at: dt.datetime
    finished_at: dt.datetime | None
    error: Problem | None


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `next` is the address of the following page, null on the last."""

    jobs: tuple[JobView, ...]
    next: str | None


def view(job: JobStatus) -> JobView:
    """The public shape of a status."""
    return JobView(
        id=job.id,
        status=job.status,
        position=job.position,
        pages=job.pages,
        pages_read=job.pages_read,
        attempt=job.attempt,
        file_name=job.file_name,
        size_bytes=job.size_bytes,
        created_at=job.created_at,
        finished_at=job.finished_at,
        error=_problem(job.error) if job.error else None,
    )


def list_view(page: JobPage, *, limit: int) -> JobList:
    """A page and the address of the next."""
    following = f"{JOBS_PATH}?limit={limit}&cursor={encode_cursor(page.next)}" if page.next else None
    return JobList(jobs=tuple(view(job) for job in page.jobs), next=following)


def location(job_id: UUID) -> str:
    """The path of a job."""
    return f"{JOBS_PATH}/{job_id}"


def encode_cursor(cursor: Cursor) -> str:
    """Opaque, and safe in a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def decode_cursor(text: str) -> Cursor:
    """Raises InvalidRequest for anything that `encode_cursor` did not make."""
    try:
        padded = text + "=" * (-len(text) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=Cursor)
    except (ValueError, msgspec.MsgspecError) as error:
        fault = FieldError(field="cursor", detail="Use the address in `next` of the page before as it is.")
        raise InvalidRequest(errors=(fault,)) from error


def _problem(error: JobError) -> Problem:
    cause = causes().get(error.code)
    return Problem(
        type=reference(error.code),
        title=error.title,
        status=int(http_status_for(cause)) if cause else 500,
        detail=error.detail,
    )
