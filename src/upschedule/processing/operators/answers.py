"""The answers that operators get: ids, times and causes, never a file's name or an address in the clear (R6.3).

An address is the first digits of its keyed hash: enough to tell one from another.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from upschedule.processing.job import JobError
from upschedule.stores.readiness import DependencyStatus
from upschedule.timetable.event import Event


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One change by an operator. `operator` is what the operator's machine said."""

    done_at: datetime
    action: str
    operator: str
    address: str
    reason: str
    job_id: UUID | None
    account_id: UUID | None = None


class WrongRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that a student reported as read wrongly. `event` is as it was read, `remark` what the student wrote.

    `file_until`: operators may have the file until then; None if the student did not agree, or the file is deleted.
    """

    id: UUID
    created_at: datetime
    job_id: UUID | None
    reader_version: str | None
    event: Event
    remark: str
    file_until: datetime | None


class WrongRows(msgspec.Struct, frozen=True, kw_only=True):
    """The newest ones."""

    rows: tuple[WrongRow, ...]
    left_out: int


class ReportedFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a report whose student agreed."""

    pdf: bytes


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters of the last hour with the same cause."""

    code: str
    count: int
    last_at: datetime


class WorkerRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A release whose workers read documents."""

    release: str
    renewed_at: datetime
    live_since: datetime | None
    confirmed_at: datetime | None


class QueueCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the queue, as in its metrics; `oldest_seconds` is how long the oldest due job has been due."""

    due: int
    delayed: int
    read_again: int
    processing: int
    oldest_seconds: float
    finished_per_minute: float


class Leader(msgspec.Struct, frozen=True, kw_only=True):
    """The lease of the leading scheduler. No scheduler leads while it is expired."""

    term: int
    held_until: datetime
    held: bool


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The whole service at a glance. `paused_at` is None while workers take jobs.

    `exempt` are the accounts that an operator has exempted from limits.
    """

    asked_at: datetime
    paused_at: datetime | None
    queue: QueueCounts
    leader: Leader | None
    dependencies: tuple[DependencyStatus, ...]
    releases: tuple[WorkerRelease, ...]
    failures: tuple[Failure, ...]
    actions: tuple[Action, ...]
    exempt: tuple[UUID, ...] = ()


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A failure that ended a job's attempts."""

    attempt: int
    code: str
    detail: str
    traceback: str
    failed_at: datetime


class JobLife(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known about one job. `position` is None unless it waits."""

    id: UUID
    account_id: UUID
    address: str | None
    status: str
    position: int | None
    attempt: int
    run: int
    pages: int | None
    pages_read: int
    size_bytes: int
    file_stored: bool
    slow: bool
    warnings: int
    request_id: str | None
    reader_version: str | None
    run_release: str | None
    provisional_release: str | None
    created_at: datetime
    run_after: datetime
    rung_at: datetime | None
    started_at: datetime | None
    lease_until: datetime | None
    demoted_at: datetime | None
    finished_at: datetime | None
    error: JobError | None
    letters: tuple[Letter, ...]
    actions: tuple[Action, ...]


class QueuedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that waits or is read. `position` is None while it is read."""

    id: UUID
    account_id: UUID
    address: str | None
    status: str
    position: int | None
    attempt: int
    slow: bool
    read_again: bool
    size_bytes: int
    created_at: datetime
    run_after: datetime
    started_at: datetime | None


class QueueListing(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs that are read, then those that wait in their order. `left_out` is how many more there are."""

    paused_at: datetime | None
    jobs: tuple[QueuedJob, ...]
    left_out: int


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account or an address, its jobs that wait or are read, and the processor time that it has used lately.

    `id` is the account's id, or the first digits of the address' hash.
    """

    id: str
    queued: int
    processing: int
    slow: int
    used_seconds: float


class Users(msgspec.Struct, frozen=True, kw_only=True):
    """The users of the queue, those with most jobs first."""

    accounts: tuple[User, ...]
    addresses: tuple[User, ...]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A failed job. `status` is the job's now; `can_retry` says whether a retry would be accepted."""

    job_id: UUID
    status: str
    can_retry: bool
    attempt: int
    code: str
    detail: str
    failed_at: datetime


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `left_out` is how many older ones there are."""

    letters: tuple[DeadLetter, ...]
    left_out: int


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement or an open transaction of PostgreSQL. `blocked_by` lists the processes whose locks it waits for.

    Texts in quotation marks are removed from `text`.
    """

    pid: int
    role: str | None
    program: str | None
    state: str | None
    waits_for: str | None
    transaction_seconds: float | None
    statement_seconds: float | None
    blocked_by: tuple[int, ...]
    text: str


class StatementCost(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of a kind of statement since the statistics were last reset."""

    calls: int
    mean_milliseconds: float
    max_milliseconds: float
    total_seconds: float
    text: str


class Statements(msgspec.Struct, frozen=True, kw_only=True):
    """Running statements, the longest first. `costs` is None where PostgreSQL has no pg_stat_statements.

    `readable` is false where the scheduler's role may not read the statements of others.
    """

    readable: bool
    running: tuple[Statement, ...]
    costs: tuple[StatementCost, ...] | None


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a change: a job's state, since when the queue is paused, or an account with other limits."""

    action: str
    job_id: UUID | None = None
    account_id: UUID | None = None
    status: str | None = None
    paused_at: datetime | None = None
