"""Builds the restored data in a folder of their own, with new stores that are stopped again."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import psycopg

from upschedule.operations.backup_file.context import BackupContext
from upschedule.operations.backup_file.errors import NoSpace, NotVerified, Refused, StoreAway
from upschedule.operations.backup_file.loading import load
from upschedule.operations.backup_file.machine import bucket_of, started
from upschedule.operations.backup_file.manifest import StoredFile
from upschedule.operations.backup_file.settling import PresentRows, delete_again, deleted_since, settle
from upschedule.operations.embedded.passwords import write_private
from upschedule.operations.embedded.postgres import APPLICATION_ROLE, Postgres
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.local.replacement import ENTRIES
from upschedule.operations.migration.files import Migration
from upschedule.operations.migration.migrate import MigrationPolicy, Timing, migrate
from upschedule.stores.bucket import Bucket, ObjectMissing
from upschedule.stores.errors import StoreError, StoreFull

#: Whether rows that were deleted after the backup stay deleted. None: ask the operator.
Deletions = Literal["keep-deleted", "revive"]
_CONTENT_TYPE = "application/pdf"
_NAMED = "SELECT object_key FROM jobs WHERE object_key IS NOT NULL"


@dataclass(frozen=True, kw_only=True)
class RestorePlan:
    """`kept` are the files to restore. `present` is None where it is not known, or does not matter."""

    file: Path
    kept: Sequence[StoredFile]
    present: PresentRows | None
    deletions: Deletions | None
    migrations: Sequence[Migration]


def build(draft: Path, plan: RestorePlan, context: BackupContext) -> None:
    """Fills `draft` with the entries of the data folder."""
    for name in ENTRIES:
        if not name.endswith(".json"):
            (draft / name).mkdir(mode=0o755)
    postgres, objects = Postgres(draft / "postgres"), SeaweedFS(draft / "objects")
    dsn = postgres.owner_dsn()
    names = {each.key for each in plan.kept}
    context.report("Starting new stores …")
    with started(postgres), started(objects), closing(bucket_of(objects, "api", context.limits)) as bucket:

        def take_object(name: str, contents: bytes) -> None:
            if name in names:
                _put(bucket, name, contents)

        loaded = load(plan.file, postgres, context, take_object=take_object)
        settle(dsn, removed=loaded.manifest.removed, kept=names)
        if plan.present:
            _settle_deletions(dsn, plan.present, plan, context)
        context.report("Migrating the restored database …")
        _migrate(dsn, plan.migrations)
        context.report("Reading the restored files …")
        with closing(bucket_of(objects, "worker", context.limits)) as reader:
            _check_objects(dsn, plan.kept, written=bucket, read=reader)
        context.report("Stopping the new stores …")
    write_private(draft / "passwords.json", msgspec.json.encode(loaded.secrets))


def _put(bucket: Bucket, name: str, contents: bytes) -> None:
    try:
        bucket.put(name, contents, content_type=_CONTENT_TYPE)
    except StoreFull as error:
        raise NoSpace(Path(name), bucket.explain(error)) from error
    except StoreError as error:
        raise StoreAway("Storing files", bucket.explain(error)) from error


def _settle_deletions(dsn: str, present: PresentRows, plan: RestorePlan, context: BackupContext) -> None:
    found = deleted_since(dsn, present)
    if found and plan.deletions is None:
        raise Refused(
            f"{found} of the backup have been deleted here since. "
            "Say --without-deleted to keep them deleted, or --revive-deleted to have them back."
        )
    delete_again(dsn, present)
    if found:
        context.report(f"Kept deleted: {found}")


def _migrate(dsn: str, migrations: Sequence[Migration]) -> None:
    migrate(dsn, migrations, application_role=APPLICATION_ROLE, policy=MigrationPolicy(), timing=Timing())
    with psycopg.connect(dsn, autocommit=True) as connection:
        # Until there are statistics, the first minutes of the service would be slow.
        connection.execute("ANALYZE")


def _check_objects(dsn: str, kept: Sequence[StoredFile], *, written: Bucket, read: Bucket) -> None:
    """Removes files of documents that were deleted since; reads all others as the service will."""
    with psycopg.connect(dsn) as connection:
        named = {key for (key,) in connection.execute(_NAMED)}
    try:
        for each in kept:
            if each.key not in named:
                written.delete(each.key)
            elif read.read_sha256(each.key) != each.sha256:
                raise NotVerified([f"the store returns other contents for the document {each.job}"])
    except (StoreError, ObjectMissing) as error:
        raise StoreAway("Reading restored files", read.explain(error)) from error
