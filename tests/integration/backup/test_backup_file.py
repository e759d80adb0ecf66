"""`upschedule backup file`: a verified backup of one machine, and failures that leave no file (R9.1, R9.2, R9.4)."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner

from tests.support.machine import EMAIL, Machine, command, machine, started_command
from tests.support.paths import ROOT
from tests.support.processes.listing import processes_in
from tests.support.servers import started, wait_until
from upschedule.cli import main
from upschedule.operations.backup_file.context import BackupContext, BackupLimits
from upschedule.operations.backup_file.errors import ExitCode, NotVerified, Refused, StoreAway
from upschedule.operations.backup_file.keys import make_key
from upschedule.operations.backup_file.loading import load, read_manifest
from upschedule.operations.backup_file.machine import scratch as scratch_of
from upschedule.operations.backup_file.manifest import Manifest
from upschedule.operations.backup_file.members import DUMP, OBJECT, MemberReader, writing
from upschedule.operations.backup_file.writing import write_backup
from upschedule.operations.embedded.passwords import PasswordFile
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.table_sums import TableSum

pytestmark = pytest.mark.timeout(240)

_STATUSES = ("queued", "processing", "failed", "completed")


@pytest.fixture(scope="module")
def source(scratch: Path) -> Iterator[Machine]:
    with machine(scratch / "backup-source") as running:
        yield running


@pytest.fixture
def documents(source: Machine) -> Iterator[dict[str, UUID]]:
    """A document of each status, with its object."""
    yield {status: source.add_document(status) for status in _STATUSES}
    source.change("DELETE FROM jobs")


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def context(source: Machine, messages: list[str]) -> BackupContext:
    return BackupContext(key=source.key, limits=BackupLimits(store_seconds=1), report=messages.append)


def _left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith((".backup", ".unverified"))]


def test_a_backup_is_verified_encrypted_and_holds_what_is_needed(
    source: Machine, documents: dict[str, UUID], context: BackupContext, tmp_path: Path
) -> None:
    """The stores keep running.

    The file has no PDFs of documents that were read, and has the feed secret (R8.2, R11.5).
    """
    file = tmp_path / "one.backup"
    done = command("backup", "file", file, "--data", source.data, "--key-file", source.key_file)
    manifest = read_manifest(file, context)

    assert (done.returncode, _left(tmp_path)) == (ExitCode.DONE, ["one.backup"]), done.stderr
    assert done.stdout.endswith("Verified.\n")
    for words in ("Dumping the database as of", "Reading 3 files", "are as they were backed up"):
        assert words in done.stderr
    assert {each.job for each in manifest.files} == {documents[each] for each in _STATUSES[:3]}
    assert (manifest.lost, manifest.forgotten, manifest.removed) == ((), (), ())
    assert manifest.tables["jobs"].rows == len(_STATUSES)
    secret = PasswordFile(source.data / "passwords.json").get("feed").encode()
    contents = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(text in contents for text in (EMAIL.encode(), secret, b"PGDMP", b"uploads/"))
    assert not (source.data / "backup-scratch").exists()


def test_a_file_that_goes_while_the_backup_is_made_is_no_loss(
    source: Machine, documents: dict[str, UUID], context: BackupContext, tmp_path: Path
) -> None:
    """Its owner or the retention deleted it after the snapshot.

    The backup notes this, so that a restore leaves it out.
    """
    retained, deleted = documents["failed"], documents["queued"]

    def delete_both(line: str) -> None:
        if line.startswith("Reading 3 files"):
            for job in (retained, deleted):
                source.bucket.delete(f"uploads/{source.account}/{job}.pdf")
            source.change("UPDATE jobs SET object_key = NULL, stored_at = NULL WHERE id = %s", [retained])
            source.change("DELETE FROM jobs WHERE id = %s", [deleted])

    within = BackupContext(key=source.key, limits=context.limits, report=delete_both)
    manifest = write_backup(source.data, tmp_path / "x.backup", within)

    assert [each.job for each in manifest.forgotten] == [retained]
    assert (manifest.removed, manifest.lost) == ((deleted,), ())
    assert [each.job for each in manifest.files] == [documents["processing"]]


def test_a_file_that_the_store_has_lost_or_changed_is_named(
    source: Machine, documents: dict[str, UUID], tmp_path: Path
) -> None:
    """The rest is backed up, and the command has a separate exit code for this."""
    keys = {status: f"uploads/{source.account}/{job}.pdf" for status, job in documents.items()}
    source.bucket.delete(keys["queued"])
    source.bucket.put(keys["failed"], b"other", content_type="application/pdf")
    file = tmp_path / "x.backup"
    done = command("backup", "file", file, "--data", source.data, "--key-file", source.key_file)

    assert (done.returncode, file.exists()) == (ExitCode.FILES_LOST, True)
    for status in ("queued", "failed"):
        assert str(documents[status]) in done.stderr.splitlines()[-1]
    assert str(documents["processing"]) not in done.stderr


def _rewritten(file: Path, target: Path, context: BackupContext, *, manifest: Manifest, objects: bytes) -> None:
    """The same file with another manifest and other objects, each piece with a valid proof."""
    reader = MemberReader(file, context.key, progress=lambda _: None)
    with target.open("wb") as opened, writing(opened, context.key) as members:
        for name, data in reader:
            members.add(name, data if not name.startswith(OBJECT) else objects or data)
        members.add_manifest(manifest)


def test_verification_finds_what_encryption_cannot(
    source: Machine, documents: dict[str, UUID], context: BackupContext, scratch: Path, tmp_path: Path
) -> None:
    """Rows, contents of a row and a PDF differ, a sequence is behind, and a dump is damaged."""
    file, other = source.back_up(tmp_path / "x.backup"), tmp_path / "other.backup"
    manifest = read_manifest(file, context)
    more = {**manifest.tables, "jobs": TableSum(5, manifest.tables["jobs"].checksum)}
    changed = {**manifest.tables, "accounts": TableSum(1, "1")}
    cases = {
        "the table jobs has 4 rows instead of 5": ({"tables": more}, b""),
        "the table accounts has other contents": ({"tables": changed}, b""),
        "the table gone is missing": ({"tables": {**manifest.tables, "gone": TableSum(0, "0")}}, b""),
        "the sequence dead_letters_id_seq is behind": ({"sequences": {"dead_letters_id_seq": 9}}, b""),
        f"the document {documents['queued']} has other contents": ({}, b"other"),
    }
    with started(Postgres(scratch / "verifier", durable=False)) as postgres:
        for words, (fields, objects) in cases.items():
            names = manifest.__struct_fields__
            changed_manifest = Manifest(**{**{name: getattr(manifest, name) for name in names}, **fields})
            _rewritten(file, other, context, manifest=changed_manifest, objects=objects)
            _empty(postgres)
            with pytest.raises(NotVerified, match=words):
                load(other, postgres, context, take_object=lambda _, __: None)
        with other.open("wb") as opened, writing(opened, context.key) as members:
            members.add(f"{DUMP}00000001", b"PGDMP and nothing else")
            members.add_manifest(manifest)
        _empty(postgres)
        with pytest.raises(StoreAway, match="pg_restore failed"):
            load(other, postgres, context, take_object=lambda _, __: None)


def _empty(postgres: Postgres) -> None:
    with psycopg.connect(postgres.superuser_dsn(), autocommit=True) as connection:
        connection.execute("DROP DATABASE upschedule WITH (FORCE)")
    postgres.finish_start()


def test_what_cannot_be_a_backup_is_refused_by_words_and_code(
    source: Machine, context: BackupContext, tmp_path: Path
) -> None:
    """Each has the exit code that docs/backup.md lists, and nothing is written."""
    file, data = tmp_path / "good.backup", source.data
    with file.open("wb") as opened, writing(opened, context.key) as members:
        members.add("secrets.json", b"{}")
    other_key, cut, flipped = tmp_path / "other.key", tmp_path / "cut", tmp_path / "flipped"
    make_key(other_key)
    contents = bytearray(file.read_bytes())
    cut.write_bytes(contents[:-100])
    contents[len(contents) // 2] ^= 1
    flipped.write_bytes(contents)
    new = tmp_path / "new.backup"
    cases = [
        (("verify-file", file, other_key, data), ExitCode.WRONG_KEY, "was written with the key"),
        (("verify-file", file, tmp_path / "none", data), ExitCode.WRONG_KEY, "cannot be read"),
        (("verify-file", file, source.key_file, data), ExitCode.DAMAGED, "it has no manifest"),
        (("verify-file", cut, source.key_file, data), ExitCode.DAMAGED, "it was changed or cut off"),
        (("verify-file", flipped, source.key_file, data), ExitCode.DAMAGED, "it was changed or cut off"),
        (("file", file, source.key_file, data), ExitCode.REFUSED, "never overwritten"),
        (("file", data / "x.backup", source.key_file, data), ExitCode.REFUSED, "within the data"),
        (("file", tmp_path / "none" / "x.backup", source.key_file, data), ExitCode.REFUSED, "is not a folder"),
        (("file", new, source.key_file, tmp_path / "empty"), ExitCode.REFUSED, "holds no data of `make run`"),
    ]
    for (name, target, key, folder), code, words in cases:
        done = CliRunner().invoke(main, ["backup", name, str(target), "--data", str(folder), "--key-file", str(key)])
        assert (done.exit_code, words in done.stderr) == (code, True), done.stderr
    assert _left(tmp_path) == ["good.backup"]
    done = CliRunner().invoke(main, ["backup", "key", str(other_key)])
    assert (done.exit_code, done.stderr.endswith("No key was made.\n")) == (ExitCode.REFUSED, True)


def test_a_full_disk_ends_a_backup_with_its_own_words(source: Machine, tmp_path: Path) -> None:
    """A limit on the size of files ends a write as a full disk does. No file remains."""
    words = [
        "backup",
        "file",
        str(tmp_path / "x.backup"),
        "--data",
        str(source.data),
        "--key-file",
        str(source.key_file),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "upschedule", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )

    assert (done.returncode, _left(tmp_path)) == (ExitCode.NO_SPACE, []), done.stderr
    assert done.stderr.endswith("No backup was made.\n")


def test_a_killed_backup_leaves_nothing_that_looks_like_one(source: Machine, tmp_path: Path) -> None:
    """At each stage neither the file nor servers remain. The next backup removes the temporary files."""
    file, scratch = tmp_path / "x.backup", source.data / "backup-scratch"
    for stage in ("Dumping", "Starting a scratch", "Restoring: 100 %"):
        with started_command("backup", "file", file, "--data", source.data, "--key-file", source.key_file) as process:
            assert process.stderr
            assert any(stage in line for line in process.stderr), stage
            process.send_signal(signal.SIGKILL)
        wait_until(lambda: processes_in(scratch) == {})
        assert _left(tmp_path) == [".x.backup.unverified"]
    source.back_up(file)
    assert (_left(tmp_path), scratch.exists()) == (["x.backup"], False)


def test_a_second_backup_is_refused_while_one_runs(source: Machine, context: BackupContext, tmp_path: Path) -> None:
    """The second backup would remove the scratch server of the first."""
    with scratch_of(source.data), pytest.raises(Refused, match=rf"runs \(process {os.getpid()}\)"):
        write_backup(source.data, tmp_path / "x.backup", context)
    assert _left(tmp_path) == []


def test_an_interrupted_backup_cleans_up(source: Machine, tmp_path: Path) -> None:
    """SIGTERM arrives during the verification."""
    options = ("--data", source.data, "--key-file", source.key_file)
    with started_command("backup", "file", tmp_path / "x.backup", *options) as process:
        assert process.stderr
        assert any("Starting a scratch" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()

    assert (process.returncode, "Interrupted. No backup was made." in rest) == (ExitCode.INTERRUPTED, True), rest
    assert (_left(tmp_path), (source.data / "backup-scratch").exists()) == ([], False)


def test_a_store_that_is_away_ends_a_backup(source: Machine, documents: dict[str, UUID], tmp_path: Path) -> None:
    """A store is killed while the service runs. The failure is reported within the allowed time."""
    assert documents
    for server, words in ((source.objects, "Reading files failed"), (source.postgres, "connection")):
        server.kill()
        options = ("--data", source.data, "--key-file", source.key_file)
        done = command("backup", "file", tmp_path / "x.backup", *options)
        server.start()
        assert (done.returncode, _left(tmp_path)) == (ExitCode.UNAVAILABLE, []), done.stderr
        assert words in done.stderr
        assert done.stderr.endswith("No backup was made.\n")


def test_a_program_that_takes_too_long_is_ended(source: Machine, context: BackupContext, tmp_path: Path) -> None:
    """No program ends within a millisecond."""
    within = BackupContext(key=source.key, limits=BackupLimits(program_seconds=0.001), report=context.report)
    with pytest.raises(StoreAway, match="it took longer than 0 s"):
        write_backup(source.data, tmp_path / "x.backup", within)
    assert _left(tmp_path) == []


def test_a_service_that_starts_is_not_backed_up(source: Machine, context: BackupContext, tmp_path: Path) -> None:
    """The addresses of its servers are not known yet."""
    addresses = source.data / "addresses.json"
    noted = addresses.read_bytes()
    addresses.unlink()
    try:
        with pytest.raises(Refused, match="It is starting or stopping"):
            write_backup(source.data, tmp_path / "x.backup", context)
    finally:
        addresses.write_bytes(noted)
