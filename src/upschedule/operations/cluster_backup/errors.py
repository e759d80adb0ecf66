"""Errors of the cluster's backups. Their messages say what failed and what holds now."""

import enum
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar


class ExitCode(enum.IntEnum):
    """Exit codes of `upschedule backup` and `upschedule restore`; 1 and 2 are click's own."""

    FAILED = 3
    NOT_VERIFIED = 9
    UNKNOWN = 4
    REFUSED = 5
    DRILL_FAILED = 10


class ClusterBackupError(Exception):
    """No backup was made or verified. Earlier backups are as they were."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class StepFailed(ClusterBackupError):
    """A program, PostgreSQL or the repository's store did not do its part."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step} failed: {reason}")


class NotArchived(ClusterBackupError):
    """The archive does not take the write-ahead log, so the backup could not be restored."""

    def __init__(self, segment: str, seconds: float) -> None:
        super().__init__(
            f"PostgreSQL did not archive the segment {segment} within {seconds:.0f} s: its log has the reason."
        )


class NeverQuiet(ClusterBackupError):
    """There was no moment at which sums and restore point belong together."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"A transaction that writes was open at every moment for {seconds:.0f} s, so the contents could not be "
            "recorded: look for a long one with `upschedule ops slow`."
        )


class NotVerified(ClusterBackupError):
    """The backup was made, and does not hold what it should."""

    exit_code = ExitCode.NOT_VERIFIED

    def __init__(self, label: str, problems: tuple[str, ...]) -> None:
        super().__init__(f"The backup {label} does not count: {'; '.join(problems[:_SHOWN_MAX])}.")


class UnknownTarget(ClusterBackupError):
    """What to restore to is none of the forms that there are."""

    exit_code = ExitCode.UNKNOWN

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text} is no moment to restore to: say `latest`, a backup's label, a restore point's name, "
            "or a time such as 2026-11-30T09:00:00."
        )


class NoBackupBefore(ClusterBackupError):
    """Recovery goes forward only, from a backup that had ended."""

    exit_code = ExitCode.UNKNOWN

    def __init__(self, text: str, ends: Sequence[datetime]) -> None:
        known = f"the oldest ended at {min(ends):%Y-%m-%d %H:%M:%S} UTC" if ends else "there is none"
        super().__init__(f"No backup had ended before {text}: {known}.")


class RestoreRefused(ClusterBackupError):
    """Nothing was changed, since something would be overwritten or brought back."""

    exit_code = ExitCode.REFUSED


class UnknownBackup(ClusterBackupError):
    """No backup in the repository has this label."""

    exit_code = ExitCode.UNKNOWN

    def __init__(self, label: str) -> None:
        super().__init__(f"There is no backup {label}: `upschedule backup list` shows those that there are.")


_SHOWN_MAX = 10
