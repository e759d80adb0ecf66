"""Errors of backup files. Their messages say what happened, and in which state the data are now."""

import enum
from pathlib import Path
from typing import ClassVar


class ExitCode(enum.IntEnum):
    """Exit codes of the commands; 1 and 2 are click's own."""

    DONE = 0
    UNAVAILABLE = 3
    REFUSED = 4
    WRONG_KEY = 5
    DAMAGED = 6
    NO_SPACE = 7
    NEWER = 8
    NOT_VERIFIED = 9
    FILES_LOST = 10
    INTERRUPTED = 130


class BackupError(Exception):
    """The backup was not made, or not restored."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNAVAILABLE


class StoreAway(BackupError):
    """PostgreSQL, the S3 store or a program of theirs did not do its part."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step} failed: {reason}")


class Refused(BackupError):
    """The command would destroy something, or lacks what it needs."""

    exit_code = ExitCode.REFUSED


class WrongKey(BackupError):
    """The file belongs to another key."""

    exit_code = ExitCode.WRONG_KEY

    def __init__(self, file: Path, needed: str, given: str) -> None:
        super().__init__(f"{file} was written with the key {needed}, and this is the key {given}.")


class UnusableKey(BackupError):
    """The key file holds no key."""

    exit_code = ExitCode.WRONG_KEY

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file} {reason}. `upschedule backup key FILE` makes a key.")


class Damaged(BackupError):
    """The file is not what was written."""

    exit_code = ExitCode.DAMAGED

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file} cannot be used: {reason}. Take another backup.")


class NoSpace(BackupError):
    """A disk or a limit of sizes is full."""

    exit_code = ExitCode.NO_SPACE

    def __init__(self, where: Path, reason: str) -> None:
        super().__init__(f"There is no room for {where}: {reason}. Free some, or choose another disk.")


class NewerBackup(BackupError):
    """A newer release wrote the file."""

    exit_code = ExitCode.NEWER

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file} was written by a newer release: {reason}. Restore it with that release.")


class NotVerified(BackupError):
    """What was restored differs from what was backed up."""

    exit_code = ExitCode.NOT_VERIFIED

    def __init__(self, differences: list[str]) -> None:
        shown = "; ".join(differences[:_SHOWN_MAX])
        more = len(differences) - _SHOWN_MAX
        super().__init__(f"The backup does not hold what it should: {shown}{f'; and {more} more' if more > 0 else ''}.")


_SHOWN_MAX = 10
