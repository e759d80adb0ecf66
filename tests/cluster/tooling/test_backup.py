"""PostgreSQL's backups on Debian's server, pgBackRest and an S3 store with TLS and an object lock (R9.1, R9.2)."""

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import psycopg
import pytest
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from tests.support.cluster.tooling.backup_site import BUCKET, BackupSite, running_site, small_disk, writing
from tests.support.servers import scratch_directory
from upschedule.operations.cluster_backup.errors import NeverQuiet, NotVerified, StepFailed, UnknownBackup
from upschedule.operations.cluster_backup.model import Record
from upschedule.operations.cluster_backup.reference import take_reference
from upschedule.operations.table_sums import TableSum

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site() -> Iterator[BackupSite]:
    with running_site() as running:
        yield running


@pytest.fixture(scope="module")
def record(site: BackupSite) -> Record:
    """A backup that was made and verified while clients wrote to the database."""
    site.execute("INSERT INTO accounts (email, password_hash) VALUES ('thandi@tuks.example', 'x')")
    with writing(site):
        return site.backups.back_up()


def test_a_backup_counts_when_it_was_restored_and_compared(site: BackupSite, record: Record) -> None:
    """Two clients write without a pause meanwhile. The restored copy is removed afterwards (R9.2)."""
    assert record.verified
    assert record.reference.tables["accounts"].rows > 0
    assert set(record.reference.tables) > {"accounts", "jobs", "calendars", "schema_migrations"}
    assert list(site.backups.scratch.folder.iterdir()) == []
    assert [(backup.label, known) for backup, known in site.backups.list()] == [(record.backup.label, record)]


def test_the_run_is_recorded_for_the_schedulers(site: BackupSite, record: Record) -> None:
    """The row has what Prometheus shows. A failed run has its reason, and the repository is unchanged (R9.5)."""
    variables = dict(site.backups.repository.variables) | {"PGBACKREST_REPO1_CIPHER_PASS": "another"}
    other = replace(site.backups, repository=replace(site.backups.repository, variables=variables))
    with pytest.raises(StepFailed) as failed:
        other.back_up()
    backup, verification = record.backup, record.verification
    with psycopg.connect(site.postgres.owner_dsn()) as connection:
        first, second = connection.execute(
            "SELECT outcome, reason, label, made_at, size_bytes, stored_bytes, verified_at FROM backup_runs ORDER BY id"
        ).fetchall()

    assert verification
    assert first == (
        *("verified", None, backup.label, backup.finished_at),
        *(backup.size_bytes, backup.stored_bytes, verification.finished_at),
    )
    assert second == ("failed", str(failed.value)[:1000], *[None] * 5)


def test_contents_are_recorded_only_while_no_writer_is_open(site: BackupSite) -> None:
    """A snapshot does not contain a transaction that began after the previous one ended.

    Its rows may or may not be in the log.
    """
    options = replace(site.backups.reference, quiet_seconds=0.5)
    with psycopg.connect(site.postgres.owner_dsn()) as writer:
        writer.execute("INSERT INTO accounts (stored_bytes) VALUES (1)")
        with pytest.raises(NeverQuiet, match="at every moment for 0 s"):
            take_reference("open", options, site.backups.timing)
    before = take_reference("ended", options, site.backups.timing).tables["accounts"].rows
    site.execute("INSERT INTO accounts (stored_bytes) VALUES (1)")

    assert take_reference("later", options, site.backups.timing).tables["accounts"].rows == before + 1


def test_what_the_repository_holds_is_encrypted(site: BackupSite, record: Record) -> None:
    """The store sees no table, no row and no name of a role."""
    client = site.store.backup_client()
    # Files of the write-ahead log contain rows, and the other files contain file names.
    keys = [key for key in site.objects() if key.startswith("archive/") or "pg_data" not in key]
    stored = b"".join(
        client.get_object(bucket_name=BUCKET, object_name=key).read() for key in keys if "records/" not in key
    )

    assert len(stored) > 10_000
    assert [
        word for word in (b"thandi@tuks.example", b"upschedule_owner", b"PGDMP", b"pg_data") if word in stored
    ] == []


def test_contents_that_are_not_what_was_recorded_are_found(site: BackupSite, record: Record) -> None:
    """It is not enough that the server starts and its files are intact (R9.2)."""
    accounts = record.reference.tables["accounts"]
    tables = record.reference.tables | {
        "accounts": TableSum(accounts.rows + 1, accounts.checksum),
        "jobs": TableSum(0, "1"),
        "people": TableSum(1, "1"),
    }
    site.backups.records.put(
        msgspec.structs.replace(record, reference=msgspec.structs.replace(record.reference, tables=tables))
    )
    with pytest.raises(NotVerified) as failed:
        site.backups.verify(record.backup.label)
    site.backups.records.put(record)

    expected = f"the table accounts has {accounts.rows} rows instead of {accounts.rows + 1}"
    assert f"{expected}; the table jobs has other contents; the table people is missing." in str(failed.value)


def test_the_key_that_makes_backups_cannot_destroy_them(site: BackupSite, record: Record) -> None:
    """The store keeps every version for nine days, and the key can remove neither the lock nor the bucket."""
    client = site.store.backup_client()
    everything = list(client.list_objects(bucket_name=BUCKET, recursive=True, include_version=True))
    versions = [each for each in everything if not each.is_delete_marker]
    refused = list(
        client.remove_objects(
            bucket_name=BUCKET,
            delete_object_list=[DeleteObject(str(each.object_name), each.version_id) for each in versions],
        )
    )
    assert len(refused) == len(versions)
    assert {each.code for each in refused} == {"AccessDenied"}
    for attempt in (
        lambda: client.delete_object_lock_config(bucket_name=BUCKET),
        lambda: client.remove_bucket(bucket_name=BUCKET),
    ):
        with pytest.raises(S3Error, match="AccessDenied"):
            attempt()


def test_the_keys_of_the_archive_are_locked_anew_by_each_backup(site: BackupSite, record: Record) -> None:
    """These keys are otherwise written only once. Without them, no segment of the log can be read (R9.4)."""
    found = site.store.backup_client().list_objects(bucket_name=BUCKET, prefix="archive/upschedule/archive.info")
    written = {str(each.object_name): each.last_modified for each in found}

    assert written.keys() == {"archive/upschedule/archive.info", "archive/upschedule/archive.info.copy"}
    assert all(at and at >= record.backup.finished_at for at in written.values())


def test_with_another_key_nothing_can_be_read(site: BackupSite, record: Record) -> None:
    """The message asks for the right key and contains no byte of a file."""
    variables = dict(site.backups.repository.variables) | {"PGBACKREST_REPO1_CIPHER_PASS": "another"}
    other = replace(site.backups, repository=replace(site.backups.repository, variables=variables))
    with pytest.raises(StepFailed) as failed:
        other.list()

    assert "Is it the right key?" in str(failed.value)
    assert str(failed.value).isprintable()


def test_a_label_that_does_not_exist_is_refused(site: BackupSite) -> None:
    """The message names the command that lists the existing labels."""
    with pytest.raises(UnknownBackup, match="`upschedule backup list`"):
        site.backups.verify("20200101-000000F")


def test_a_scratch_folder_without_room_is_no_verified_backup(site: BackupSite, record: Record) -> None:
    """The folder is on a disk that is smaller than the database. Nothing is left on it (R9.2, R9.5)."""
    with scratch_directory() as folder, small_disk(folder / "small", 10_000_000):
        small = replace(site.backups, scratch=replace(site.backups.scratch, folder=folder / "small"))
        with pytest.raises(NotVerified, match=r"it cannot be restored: .*unable to write"):
            small.verify(record.backup.label)
        left = list((folder / "small").iterdir())
    state = site.backups.show(record.backup.label)
    site.backups.records.put(record)

    assert not state.verified
    assert left == []


def test_an_operator_reads_what_there_is(site: BackupSite, record: Record) -> None:
    """Each command has its exit code, and the message names what is missing."""
    listed, shown = finished(site, "list"), finished(site, "show", record.backup.label)
    unknown = finished(site, "verify", "20200101-000000F")

    assert (listed[0], shown[0], unknown[0]) == (0, 0, 4)
    assert [(line.split()[0], line.split()[-1]) for line in listed[1].splitlines()] == [
        (record.backup.label, "verified")
    ]
    assert msgspec.json.decode(shown[1], type=Record).reference == record.reference
    assert "`upschedule backup list`" in unknown[2]


def finished(site: BackupSite, *arguments: str) -> tuple[int, str, str]:
    """Returns exit code, standard output and standard error."""
    with site.started(*arguments) as process:
        output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors
