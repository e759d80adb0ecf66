"""Errors of preparing a release; PrepareError is the root."""


class PrepareError(Exception):
    """The release may not start. Running releases go on."""


class NotARelease(PrepareError):
    """The folder is not an unpacked release."""

    def __init__(self, folder: str) -> None:
        super().__init__(f"{folder} holds no file RELEASE: this is not what `upschedule release` packed.")


class TurnNotTaken(PrepareError):
    """Another process did not finish in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Another process has been preparing a release for more than {seconds:.0f} s: see its log.")


class NotMarked(PrepareError):
    """The release was not prepared within the timeout."""

    def __init__(self, version: str, seconds: float, seen: str) -> None:
        super().__init__(f"Release {version} was not prepared within {seconds:.0f} s ({seen}): see the task `prepare`.")


class BackupFailed(PrepareError):
    """The backup failed or cannot be read back, so nothing was changed."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"The backup failed in {step}: {reason}")


class NoFreshBackup(PrepareError):
    """There is nothing recent from which the restore point could be reached."""

    def __init__(self, hours: float, running: str) -> None:
        super().__init__(
            f"No verified backup is younger than {hours:g} hours{running}: make one with "
            "`nomad job periodic force -namespace upschedule backup`, then release again."
        )


class RestorePointFailed(PrepareError):
    """Nothing was changed, since the database could not be restored to the moment before."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The restore point failed: {reason}")


class ContractTooEarly(PrepareError):
    """This release needs an expansion that follows a contraction which would break a running release."""

    def __init__(self, contract: str, needed: str, running: str) -> None:
        super().__init__(
            f"{contract} removes what {running} may use, and {needed} comes after it: "
            "first release a commit that ends with the contraction."
        )
