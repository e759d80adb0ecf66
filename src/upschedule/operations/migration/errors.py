"""Errors of migrations; MigrationError is the root."""


class MigrationError(Exception):
    """The schema does not match this release."""


class MigrationFilesInvalid(MigrationError):
    """The directory does not hold files 0001, 0002 … named `NNNN_expand_x.sql` or `NNNN_contract_x.sql`."""


class MigrationHistoryChanged(MigrationError):
    """The applied migrations differ from those of this release."""

    def __init__(self, name: str, how: str) -> None:
        super().__init__(f"The applied migration {name} {how}. Applied migrations never change: add a new one.")


class ContractedByNewerRelease(MigrationError):
    """A newer release removed schema that this one needs."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The database was contracted by {name}, which this release does not know: deploy a newer one."
        )


class MigrationInProgress(MigrationError):
    """Another process did not finish its migrations in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Another process has been migrating for more than {seconds:.0f} s: see its log.")


class LockAttemptsExhausted(MigrationError):
    """A long transaction holds a table."""

    def __init__(self, name: str, attempts: int) -> None:
        super().__init__(
            f"{name} could not lock its tables in {attempts} attempts: find the long transaction, run again."
        )


class MigrationBlocksTooLong(MigrationError):
    """The running release would have failed requests; the migration was cancelled."""

    def __init__(self, name: str, *, table: str, seconds: float, seconds_max: float, transactional: bool) -> None:
        undone = "all of it was rolled back" if transactional else "its statements before that one stay"
        super().__init__(
            f"{name} blocked {table} for {seconds:.1f} s, and may for {seconds_max:g} s: "
            f"it was cancelled, and {undone}. "
            "Split it into migrations that hold the lock for a shorter time."
        )


class MigrationUnwatched(MigrationError):
    """The check for a migration that blocks the running release did not work."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} was cancelled, because its locks could not be watched: {reason}. Run it again.")


class MigrationFailed(MigrationError):
    """PostgreSQL refused a statement; a file in a transaction left nothing behind."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} failed: {reason}")
