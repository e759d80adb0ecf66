"""The states of a job and the permitted moves between them. Pure: PostgreSQL holds the jobs."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class Status(StrEnum):
    """The state of a job; `docs/job-states.md` draws the moves."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class Move(msgspec.Struct, frozen=True):
    """A permitted change of state, and what makes it happen."""

    source: Status
    target: Status
    trigger: str


#: Every permitted move. The trigger `jobs_move` of the schema refuses all others.
MOVES: tuple[Move, ...] = (
    Move(Status.QUEUED, Status.PROCESSING, "a worker claims it"),
    Move(Status.QUEUED, Status.FAILED, "an operator cancels it"),
    Move(
        Status.PROCESSING,
        Status.COMPLETED,
        "the current run stores its result, or it reads a document again and fails for a cause outside the file",
    ),
    Move(
        Status.PROCESSING,
        Status.QUEUED,
        "a first reading that used up its processor time, a passing failure, an expired lease or a stopping worker",
    ),
    Move(
        Status.PROCESSING,
        Status.FAILED,
        "the cause lies in the file, time is up, retries are used up or an operator cancels it",
    ),
    Move(
        Status.FAILED, Status.QUEUED, "its owner or an operator tries again, or the release that read it was abandoned"
    ),
    Move(
        Status.COMPLETED,
        Status.QUEUED,
        "its owner sends a file again that an older reader has read, or the release that read it was abandoned",
    ),
)

FINAL = frozenset({Status.COMPLETED, Status.FAILED})


class JobError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job failed. `in_file`: the cause lies in the file, so reading the same bytes again cannot help."""

    code: str
    title: str
    detail: str
    in_file: bool


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `jobs`.

    `attempt` counts runs since a person last queued it and bounds the retries (R2.1); `run` counts all runs ever and
    fences: a result is taken only from the current run (R2.3). `version` grows with every change that a reader sees.
    `slow` marks a document that a first, short reading could not finish. `provisional_release` names the release whose
    result this is while that release is not confirmed. From `run_after` on, the job was due.
    """

    id: UUID
    account_id: UUID
    file_name: str
    size_bytes: int
    status: Status
    attempt: int
    run: int
    pages: int | None
    pages_read: int
    version: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: JobError | None
    object_key: str | None
    reader_version: str | None
    request_id: str | None
    slow: bool = False
    provisional_release: str | None = None
    run_after: datetime | None = None

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def is_read_again(self) -> bool:
        """Whether the service queued it again, to replace the result of an abandoned release."""
        return not self.is_final and self.provisional_release is not None

    def answers(self, reader_version: str) -> bool:
        """Whether a new upload of the same bytes needs no new reading by this version of the reader."""
        if self.status is Status.COMPLETED:
            return self.reader_version == reader_version
        if self.status is Status.FAILED:
            return self.error is not None and self.error.in_file and self.reader_version == reader_version
        return True


class JobStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status for a job's owner. `position` counts from 1 and is None unless queued; `version` is the row's."""

    id: UUID
    status: Status
    position: int | None
    pages: int | None
    pages_read: int
    attempt: int
    file_name: str
    size_bytes: int
    created_at: datetime
    finished_at: datetime | None
    error: JobError | None
    version: int

    @property
    def is_final(self) -> bool:
        return self.status in FINAL


def job_status(job: Job, *, position: int | None) -> JobStatus:
    """The public part of a job. Drops the position of a job that is not queued."""
    return JobStatus(
        id=job.id,
        status=job.status,
        position=position if job.status is Status.QUEUED else None,
        pages=job.pages,
        pages_read=job.pages_read,
        attempt=job.attempt,
        file_name=job.file_name,
        size_bytes=job.size_bytes,
        created_at=job.created_at,
        finished_at=job.finished_at,
        error=job.error,
        version=job.version,
    )
