"""Decides what follows a failed run: another run after a pause, or failure (R1.5, R2.1)."""

import msgspec

from upschedule.backoff import Backoff
from upschedule.pdf.errors import UnreadableDocument
from upschedule.processing.errors import FileGone, ReadingFailed, ReadingTimedOut
from upschedule.processing.job import Job, JobError


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One run, and at most `retries_max` more, each after a pause of `backoff` (R2.1)."""

    retries_max: int
    backoff: Backoff


class Retry(msgspec.Struct, frozen=True):
    """Queue it again, due after `delay_seconds`."""

    delay_seconds: float


class GiveUp(msgspec.Struct, frozen=True):
    """The job has failed; its owner sees `error`."""

    error: JobError


def after_failure(job: Job, error: BaseException, policy: RetryPolicy, roll: float) -> Retry | GiveUp:
    """A cause in the file, a timeout and a missing file are final at once; 0 <= roll < 1."""
    if isinstance(error, UnreadableDocument):
        return GiveUp(_job_error(error, in_file=True))
    if isinstance(error, ReadingTimedOut | FileGone):
        return GiveUp(_job_error(error, in_file=False))
    if job.attempt > policy.retries_max:
        return GiveUp(_job_error(ReadingFailed(), in_file=False))
    return Retry(policy.backoff.pause_seconds(job.attempt, roll))


def _job_error(error: UnreadableDocument | ReadingTimedOut | FileGone | ReadingFailed, *, in_file: bool) -> JobError:
    return JobError(code=error.code, title=error.title, detail=error.detail, in_file=in_file)
