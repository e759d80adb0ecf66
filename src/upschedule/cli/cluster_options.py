"""Options and variables that the commands of the cluster's backups share."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from upschedule.cli import migration_options
from upschedule.operations.cluster_backup.gaps import ArchiveGaps
from upschedule.operations.cluster_backup.objects.backup import ObjectBackup
from upschedule.operations.cluster_backup.objects.copies import Copies
from upschedule.operations.cluster_backup.records import Records
from upschedule.operations.cluster_backup.repository import Repository, bucket_address, repository_variables
from upschedule.operations.cluster_backup.scratch import ScratchOptions
from upschedule.operations.cluster_backup.state import States
from upschedule.settings import UploadSettings
from upschedule.settings.servers import DEFAULT_REGION
from upschedule.stores.bucket import Bucket, BucketAddress

#: Name of the database in the cluster.
DATABASE = "upschedule"
_DATABASE_URL = "UPSCHEDULE_POSTGRES_BACKUP_URL"
_TRUE = frozenset({"1", "true"})
POSITIVE = click.FloatRange(0, min_open=True)

postgres_programs = click.option(
    "--postgres-programs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("/usr/lib/postgresql/15/bin"),
    show_default=True,
    help="Folder of postgres and pg_amcheck, of the version of the cluster's server.",
)
scratch = click.option(
    "--scratch",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/tmp/upschedule-restored"),  # noqa: S108 - what is restored there is in a folder of its own
    show_default=True,
    help="Folder with room for the whole database, for what is restored beside the live one.",
)
program_seconds = click.option(
    "--program-seconds", type=POSITIVE, default=3600.0, show_default=True, help="Longest run of one program."
)
keep_hours = click.option(
    "--keep-hours",
    envvar="UPSCHEDULE_UPLOADS_KEEP_HOURS",
    type=POSITIVE,
    default=UploadSettings().keep_hours,
    show_default=True,
    help="How long the copy of a document's file is kept after its upload (R11.5).",
)


@dataclass(frozen=True, kw_only=True)
class BackupPlaces:
    """The places of the backups: pgBackRest's repository with its variables, and the bucket for everything else."""

    variables: Mapping[str, str]
    bucket: Bucket

    def repository(self, seconds: float) -> Repository:
        return Repository(variables=self.variables, program_seconds=seconds)

    def records(self) -> Records:
        return Records(self.bucket)

    def copies(self) -> Copies:
        return Copies(self.bucket, self.variable("PGBACKREST_REPO1_CIPHER_PASS"))

    def gaps(self) -> ArchiveGaps:
        return ArchiveGaps(self.bucket, self.variable("PGBACKREST_STANZA"))

    def states(self) -> States:
        return States(self.bucket, self.variable("PGBACKREST_REPO1_CIPHER_PASS"))

    def variable(self, name: str) -> str:
        """Raises click.UsageError."""
        return _given(self.variables, name)


def places() -> BackupPlaces:
    """Reads the places from the environment. Raises click.UsageError."""
    variables = repository_variables(os.environ)
    try:
        address = bucket_address(variables)
    except KeyError as error:
        raise _missing(str(error.args[0])) from None
    return BackupPlaces(variables=variables, bucket=Bucket(address))


def database_url() -> str:
    """The URL for the backup role, from the environment. Raises click.UsageError."""
    return migration_options.database_url(_DATABASE_URL, _given(os.environ, _DATABASE_URL))


def object_backup(found: BackupPlaces, keep: float) -> ObjectBackup:
    """The backup of the application's object store, from the environment. Raises click.UsageError."""
    return ObjectBackup(dsn=database_url(), uploads=Bucket(_uploads()), copies=found.copies(), keep_hours=keep)


def scratch_options(programs: Path, folder: Path, seconds: float) -> ScratchOptions:
    return ScratchOptions(programs=programs, folder=folder, start_seconds=seconds, check_seconds=seconds)


def _uploads() -> BucketAddress:
    prefix = "UPSCHEDULE_OBJECTS_"
    return BucketAddress(
        endpoint=_given(os.environ, f"{prefix}ENDPOINT"),
        access_key=_given(os.environ, f"{prefix}ACCESS_KEY"),
        secret_key=_given(os.environ, f"{prefix}SECRET_KEY"),
        bucket=os.environ.get(f"{prefix}BUCKET") or "uploads",
        secure=os.environ.get(f"{prefix}SECURE", "").lower() in _TRUE,
        region=os.environ.get(f"{prefix}REGION") or DEFAULT_REGION,
    )


def _given(variables: Mapping[str, str], name: str) -> str:
    if not (value := variables.get(name)):
        raise _missing(name)
    return value


def _missing(name: str) -> click.UsageError:
    return click.UsageError(f"{name} is not set: docs/cluster-backup.md lists what is needed.")
