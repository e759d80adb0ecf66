"""The repository of backups and write-ahead log, through the program pgBackRest.

Where the repository is, its keys and its encryption are variables PGBACKREST_…, which the server that archives has too
(docs/backup.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from upschedule.operations.cluster_backup.errors import StepFailed
from upschedule.operations.cluster_backup.model import BackupSet
from upschedule.operations.cluster_backup.target import RecoveryTarget
from upschedule.operations.subprocesses import ProgramFailed, connection_environment, run_program
from upschedule.stores.bucket import BucketAddress

_LIST_SECONDS = 120.0
# The status of a stanza that exists and has no backup; 0 is one that has.
_USABLE = frozenset({0, 2})
_MISSING = 1
_UNREADABLE = "its files cannot be read. Is it the right key?"


@dataclass(frozen=True, kw_only=True)
class Repository:
    """`variables` say where the repository is. `program_seconds` bounds each run of pgBackRest that moves data."""

    variables: Mapping[str, str] = field(repr=False)
    program: Path = Path("pgbackrest")
    program_seconds: float = 3600.0

    @property
    def stanza(self) -> str:
        """The name of this server's part of the repository."""
        return self.variables["PGBACKREST_STANZA"]

    def create(self, dsn: str) -> None:
        """Makes the repository ready for this server, once or again."""
        self._run("stanza-create", dsn=dsn)

    def back_up(self, dsn: str) -> BackupSet:
        """Makes a full backup, and waits until the write-ahead log that it needs is archived."""
        self._run("backup", "--type=full", dsn=dsn)
        return self.backups()[-1]

    def backups(self) -> Sequence[BackupSet]:
        """The oldest first. Raises StepFailed if the repository cannot be read, with a wrong key for example."""
        text = self._run("info", "--output=json", seconds=_LIST_SECONDS)
        try:
            stanzas = msgspec.json.decode(text, type=list[dict[str, Any]])
        except msgspec.DecodeError as error:
            # pgBackRest quotes the bytes of a file that it cannot read.
            raise StepFailed("Reading the repository", _UNREADABLE) from error
        for stanza in stanzas:
            if stanza["status"]["code"] not in _USABLE | {_MISSING}:
                raise StepFailed("Reading the repository", _reason_of(stanza))
        found = [_backup_set(each) for stanza in stanzas for each in stanza.get("backup", ()) if not each["error"]]
        return sorted(found, key=lambda each: each.label)

    def restore(self, target: RecoveryTarget, folder: Path, *, archives: bool = False) -> None:
        """Restores into an empty folder; a server that starts there recovers up to the target.

        Without `archives` the settings in the folder keep the server from writing to the archive that it came from.
        """
        mode = "preserve" if archives else "off"
        self._run("restore", f"--pg1-path={folder}", f"--archive-mode={mode}", *target.options())

    def keep(self, newest: int) -> None:
        """Removes all but this many backups, and the write-ahead log from before the oldest that stays."""
        self._run("expire", "--repo1-retention-full-type=count", f"--repo1-retention-full={newest}")

    def _run(self, command: str, *options: str, dsn: str | None = None, seconds: float | None = None) -> bytes:
        try:
            # Only the environment is read: Debian's file of configuration describes another server.
            return run_program(
                [self.program, "--no-config", command, *options],
                timeout_seconds=seconds or self.program_seconds,
                environment={**self.variables, **(_server_environment(dsn) if dsn else {})},
            )
        except ProgramFailed as error:
            raise StepFailed(f"pgbackrest {command}", error.reason) from error


def repository_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Those that say where the repository is."""
    return {name: value for name, value in environment.items() if name.startswith("PGBACKREST_")}


def bucket_address(variables: Mapping[str, str]) -> BucketAddress:
    """The bucket of the repository. Raises KeyError with the name of the first variable that is missing."""
    # Not of the bucket, but `Repository` needs it.
    _ = variables["PGBACKREST_STANZA"]
    host, port = (variables[f"PGBACKREST_REPO1_{name}"] for name in ("S3_ENDPOINT", "STORAGE_PORT"))
    return BucketAddress(
        endpoint=f"{host}:{port}",
        access_key=variables["PGBACKREST_REPO1_S3_KEY"],
        secret_key=variables["PGBACKREST_REPO1_S3_KEY_SECRET"],
        bucket=variables["PGBACKREST_REPO1_S3_BUCKET"],
        secure=True,
        region=variables["PGBACKREST_REPO1_S3_REGION"],
        authority_file=variables.get("PGBACKREST_REPO1_STORAGE_CA_FILE", ""),
    )


def _server_environment(dsn: str) -> Mapping[str, str]:
    """How pgBackRest connects. It knows a socket's folder only, and leaves the host to libpq."""
    variables = connection_environment(dsn)
    return {
        **{name: value for name, value in variables.items() if name not in ("PGUSER", "PGPORT", "PGDATABASE")},
        "PGBACKREST_PG1_USER": variables["PGUSER"],
        "PGBACKREST_PG1_PORT": variables.get("PGPORT", "5432"),
    }


def _backup_set(entry: Mapping[str, Any]) -> BackupSet:
    return BackupSet(
        label=entry["label"],
        started_at=datetime.fromtimestamp(entry["timestamp"]["start"], tz=UTC),
        finished_at=datetime.fromtimestamp(entry["timestamp"]["stop"], tz=UTC),
        size_bytes=entry["info"]["size"],
        stored_bytes=entry["info"]["repository"]["delta"],
    )


def _reason_of(stanza: Mapping[str, Any]) -> str:
    message = str(stanza["repo"][0]["status"]["message"]) if stanza.get("repo") else str(stanza["status"]["message"])
    return _UNREADABLE if "[FormatError]" in message else message
