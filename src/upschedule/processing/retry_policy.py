"""What follows a failed run: another one after a pause, or the end (R1.5, R2.1)."""

import msgspec

from upschedule.pdf.errors import UnreadableDocument
from upschedule.processing.errors import FileGone, ReadingFailed, ReadingTimedOut
from upschedule.processing.job import Job, JobError


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The n-th retry waits at most `base * 2**(n-1)` seconds, never more than `max`."""

    retries_max: int
    backoff_seconds_base: float
    backoff_seconds_max: float


class Retry(msgspec.Struct, frozen=True):
    """Queue it again, due after `delay_seconds`."""

    delay_seconds: float


class GiveUp(msgspec.Struct, frozen=True):
    """It has failed, and this is what its owner is told."""

    error: JobError


def after_failure(job: Job, error: BaseException, policy: RetryPolicy, roll: float) -> Retry | GiveUp:
    """Exponential backoff with full jitter; 0 <= roll < 1. One run and up to `retries_max` more."""
    if isinstance(error, UnreadableDocument):
        return GiveUp(_told(error, in_file=True))
    if isinstance(error, ReadingTimedOut | FileGone):
        return GiveUp(_told(error, in_file=False))
    if job.attempt > policy.retries_max:
        return GiveUp(_told(ReadingFailed(), in_file=False))
    # The exponent is bounded so that no number of retries can overflow a float.
    longest = policy.backoff_seconds_base * 2.0 ** min(max(job.attempt - 1, 0), 60)
    return Retry(roll * min(longest, policy.backoff_seconds_max))


def _told(error: UnreadableDocument | ReadingTimedOut | FileGone | ReadingFailed, *, in_file: bool) -> JobError:
    return JobError(code=error.code, title=error.title, detail=error.detail, in_file=in_file)
