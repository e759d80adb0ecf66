"""Errors of packing and pushing a release; ReleaseError is the root."""


class ReleaseError(Exception):
    """The release was not packed or pushed."""


class DirtyWorkTree(ReleaseError):
    """The work tree has uncommitted changes, which would not be in the release."""

    def __init__(self, changes: str) -> None:
        paths = changes.splitlines()
        shown = ", ".join(line[3:] for line in paths[:3]) + (" …" if len(paths) > 3 else "")  # noqa: PLR2004 - shown in the line before
        super().__init__(f"The work tree has changes that are in no commit ({shown}): commit or remove them first.")


class NameTaken(ReleaseError):
    """Another archive has this name. Archives never change: running jobs may fetch them again."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is in the store with another checksum. Archives never change: commit again for another name."
        )


class ArchiveDamaged(ReleaseError):
    """The store returns other bytes than were sent."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The store gives {name} back with other bytes than were sent: push again.")
