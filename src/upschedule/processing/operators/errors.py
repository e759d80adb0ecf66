"""Reasons why a request of an operator is refused. The sentences are for operators, not for visitors."""

from upschedule.errors import Refusal


class UnknownJob(Refusal):
    """There is no job of this id. Its owner may have deleted it, which leaves nothing to look at."""

    code = "unknown-job"
    title = "No such job"


class UnknownAccount(Refusal):
    """There is no account of this id. A visitor's account gets its row with the first upload."""

    code = "unknown-account"
    title = "No such account"


class NotExempt(Refusal):
    """This account has the limits of all others, so there is no exemption to end."""

    code = "not-exempt"
    title = "Not exempt"


class HasNotFailed(Refusal):
    """Only a job that has failed can be tried again, and this one has not. `upschedule ops why` shows its state."""

    code = "has-not-failed"
    title = "Has not failed"


class SameAnswer(Refusal):
    """The cause lies in the file, and this release's reader refuses the same bytes again. Fix the reader first."""

    code = "same-answer"
    title = "Trying again cannot help"


class FileDeleted(Refusal):
    """The file is no longer stored, so there is nothing to read. Only its owner can send it again."""

    code = "file-deleted"
    title = "The file was deleted"


class UnknownReport(Refusal):
    """There is no report of this id. `upschedule ops wrong-rows` lists those that there are."""

    code = "unknown-report"
    title = "No such report"


class NoReportedFile(Refusal):
    """The student did not agree to send the file, or it has been deleted since."""

    code = "no-reported-file"
    title = "No file"


class HasEnded(Refusal):
    """This job has ended already, so there is nothing to cancel. `upschedule ops why` shows its state."""

    code = "has-ended"
    title = "Has ended"


class HasEarlierResult(Refusal):
    """This document is read again, and its owner uses the earlier result until then: cancelling would take it."""

    code = "has-earlier-result"
    title = "Has an earlier result"
