"""Loads a backup file into an empty PostgreSQL, and compares the result with the file's manifest."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg

from upschedule.operations.backup_file.context import BackupContext
from upschedule.operations.backup_file.database import differences, needed_files
from upschedule.operations.backup_file.errors import Damaged, NotVerified
from upschedule.operations.backup_file.manifest import Manifest
from upschedule.operations.backup_file.members import DUMP, OBJECT, SECRETS, MemberReader
from upschedule.operations.backup_file.programs import restoring
from upschedule.operations.embedded.postgres import Postgres

TakeObject = Callable[[str, bytes], None]
_TENTH = 0.1


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The contents of a file except for the database, which has been restored already."""

    manifest: Manifest
    secrets: dict[str, str]


def read_manifest(path: Path, context: BackupContext) -> Manifest:
    """Reads the whole file, so that no damage is found later. Raises WrongKey, NewerBackup or Damaged."""
    members = MemberReader(path, context.key, progress=_tenths(context.report, "Reading"))
    for _ in members:
        pass
    return members.manifest


def load(path: Path, postgres: Postgres, context: BackupContext, *, take_object: TakeObject) -> Loaded:
    """Raises NotVerified where anything is not as it was backed up, and what `read_manifest` raises."""
    members = MemberReader(path, context.key, progress=_tenths(context.report, "Restoring"))
    iterator = iter(members)
    name, data = next(iterator, ("", b""))
    with restoring(postgres, seconds_max=context.limits.program_seconds) as target:
        while name.startswith(DUMP):
            target.write(data)
            name, data = next(iterator, ("", b""))
    hashes: dict[str, str] = {}
    secrets: dict[str, str] = {}
    while name:
        if name == SECRETS:
            secrets = msgspec.json.decode(data, type=dict[str, str])
        elif name.startswith(OBJECT):
            key_of_object = name.removeprefix(OBJECT)
            hashes[key_of_object] = hashlib.sha256(data).hexdigest()
            take_object(key_of_object, data)
        else:
            raise Damaged(path, f"it has the unknown part {name}")
        name, data = next(iterator, ("", b""))
    _compare(members.manifest, postgres, hashes)
    context.report("The restored database and files are as they were backed up")
    return Loaded(manifest=members.manifest, secrets=secrets)


def _compare(manifest: Manifest, postgres: Postgres, hashes: dict[str, str]) -> None:
    wrong = differences(postgres.owner_dsn(), manifest.tables, manifest.sequences)
    with psycopg.connect(postgres.owner_dsn(), connect_timeout=10) as connection:
        needed = needed_files(connection)
    explained = {each.key for each in (*manifest.forgotten, *manifest.lost)}
    removed = set(manifest.removed)
    for each in needed:
        if each.key in explained or each.job in removed:
            continue
        if hashes.get(each.key) != each.sha256:
            found = "other contents" if each.key in hashes else "no file"
            wrong.append(f"the document {each.job} has {found}")
    if wrong:
        raise NotVerified(wrong)


def _tenths(report: Callable[[str], None], word: str) -> Callable[[float], None]:
    """Says each further tenth of the file once."""
    said = 0

    def progress(ratio: float) -> None:
        nonlocal said
        tenth = int(ratio / _TENTH)
        if tenth > said:
            said = tenth
            report(f"{word}: {tenth * 10} %")

    return progress
