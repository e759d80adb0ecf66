"""Reads the files of a commit from Git, never from the work tree."""

import io
import tarfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from upschedule.operations.release.errors import DirtyWorkTree
from upschedule.operations.release.manifest import ReleaseLabel
from upschedule.operations.subprocesses import run_program

SHORT = 12
_GIT_SECONDS = 60.0
_PACKED = ("src", "migrations")


@dataclass(frozen=True, kw_only=True)
class Commit:
    """`id` has 40 digits."""

    repository: Path
    id: str

    @property
    def short(self) -> str:
        return self.id[:SHORT]

    @property
    def label(self) -> ReleaseLabel:
        """The label with the project's version and the commit, as 3.0.0+0123456789ab."""
        project = tomllib.loads(_git(self.repository, "show", f"{self.id}:pyproject.toml").decode())["project"]
        return ReleaseLabel(version=f"{project['version']}+{self.short}", commit=self.id)

    def extract(self, folder: Path, paths: Sequence[str]) -> None:
        """Writes the files of the commit at these paths below `folder`."""
        packed = _git(self.repository, "archive", "--format=tar", self.id, *paths)
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            # The archive comes from Git. Python's filters would add nothing, and not every 3.11 has them.
            tar.extraction_filter = lambda member, _: member
            for member in tar:
                tar.extract(member, folder)


def current_commit(repository: Path) -> Commit:
    """Raises DirtyWorkTree, ProgramFailed."""
    if changes := _git(repository, "status", "--porcelain").decode(errors="replace"):
        raise DirtyWorkTree(changes)
    return Commit(repository=repository, id=_git(repository, "rev-parse", "HEAD").decode().strip())


def write_sources(commit: Commit, folder: Path) -> None:
    """Writes the code, the migrations and RELEASE."""
    commit.extract(folder, _PACKED)
    (folder / "RELEASE").write_bytes(msgspec.json.encode(commit.label) + b"\n")


def _git(repository: Path, *arguments: str) -> bytes:
    return run_program(["git", "-C", repository, *arguments], timeout_seconds=_GIT_SECONDS)
