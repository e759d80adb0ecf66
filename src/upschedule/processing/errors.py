"""Reasons why a request for a job is refused or a job fails. `pdf/errors.py` has the causes that lie in the file."""

from upschedule.errors import Refusal


class AccountNotFound(Refusal):
    """This visitor is no longer known. Reload the page and try again."""

    code = "account-not-found"
    title = "Visitor not known"


class JobNotFound(Refusal):
    """There is no such schedule among yours. It may have been deleted; upload the file again."""

    code = "job-not-found"
    title = "Schedule not found"


class NotCompleted(Refusal):
    """This schedule has not been read completely yet. Wait until its status is completed."""

    code = "job-not-completed"
    title = "Not read yet"


class NotFailed(Refusal):
    """Only a schedule whose reading failed can be tried again; this one has not failed."""

    code = "job-not-failed"
    title = "Has not failed"


class FileGone(Refusal):
    """The uploaded file was already deleted: files are kept for a limited time. Upload it again."""

    code = "file-gone"
    title = "The file was deleted"


class NoPicture(Refusal):
    """This row cannot be drawn at the moment. Compare the text with your PDF, or reload the page a little later."""

    code = "no-picture"
    title = "No picture of this row"


class QuotaExceeded(Refusal):
    """There is no room left for this file among your stored files. Delete a schedule and upload again."""

    code = "quota-exceeded"
    title = "No room left"


class QueueFull(Refusal):
    """Too many schedules are waiting to be read. Try again a little later."""

    code = "queue-full"
    title = "Too many schedules are waiting"

    def __init__(self, *, retry_after_seconds: int, of_network: bool = False) -> None:
        self.retry_after_seconds = retry_after_seconds
        which = "schedules from your network" if of_network else "schedules"
        super().__init__(f"Too many {which} are waiting to be read. Try again in {retry_after_seconds} seconds.")


class ReadingTimeUsedUp(Refusal):
    """Reading your files took far more time than schedules need. Try again a little later."""

    code = "reading-time-used-up"
    title = "Your share of reading time is used up"

    def __init__(self, *, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(
            f"Reading your files took far more time than schedules need. Try again in {retry_after_seconds} seconds."
        )


class NothingToRetry(Refusal):
    """This file was refused for what is in it, and reading it again gives the same answer. Upload another file."""

    code = "nothing-to-retry"
    title = "Trying again cannot help"


class ReadingTimedOut(Refusal):
    """Reading this file took too long and was stopped. Upload the schedule exactly as the UP Portal prints it."""

    code = "reading-timed-out"
    title = "Reading took too long"


class ReadingFailed(Refusal):
    """This file could not be read because of a fault on our side, not in the file. Try again later."""

    code = "reading-failed"
    title = "The file could not be read"


class ReadingCancelled(Refusal):
    """The operators of this service stopped the reading of this file. Try again later."""

    code = "reading-cancelled"
    title = "Reading was stopped"


class Stalled(Exception):
    """The worker stopped renewing its lease, and the lease expired."""
