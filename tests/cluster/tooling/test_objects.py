"""Document files in the cluster's backups are copied, kept for a limited time, and restored (R9.4, R11.5)."""

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from minio.commonconfig import GOVERNANCE
from minio.error import S3Error
from minio.retention import Retention

from tests.support.cluster.tooling.backup_site import BUCKET, UPLOADS, copying, running_site
from tests.support.cluster.tooling.restoring import RestoreSite
from tests.support.processes.health_pages import metric
from tests.support.servers import wait_until
from upschedule.operations.cluster_backup.errors import NotVerified, StepFailed
from upschedule.operations.cluster_backup.objects.backup import ObjectBackup
from upschedule.operations.cluster_backup.objects.copies import PREFIX, Copies
from upschedule.operations.cluster_backup.repository import bucket_address
from upschedule.operations.cluster_backup.state import States
from upschedule.stores.bucket import Bucket

pytestmark = pytest.mark.timeout(300)
_UPLOADED = """
    INSERT INTO jobs (id, account_id, sha256, file_name, size_bytes, object_key, stored_at, status, error, finished_at)
    SELECT gen_random_uuid(), %s, sha256(%s), 'plan.pdf', %s, %s, %s, status,
        CASE status WHEN 'failed' THEN '{"code": "reading-failed"}'::jsonb END,
        CASE status WHEN 'queued' THEN NULL ELSE now() END
    FROM (SELECT %s AS status) AS given RETURNING id
"""
_STARTED = "UPDATE jobs SET status = 'processing', attempt = 1, lease_until = now(), started_at = now() WHERE id = %s"
#: This is long enough for the test to try the operations that the lock refuses.
LOCKED = timedelta(seconds=8)
CONTENTS = b"%PDF-1.7 the timetable of Thandi"


@pytest.fixture(scope="module")
def running() -> Iterator[RestoreSite]:
    with running_site() as site:
        yield RestoreSite(site)


@pytest.fixture
def site(running: RestoreSite) -> Iterator[RestoreSite]:
    """A site without documents whose server runs afterwards. Copies stay, since they are locked."""
    yield running
    lose_uploads(running)
    shutil.rmtree(running.data.with_name("data.before-restore"), ignore_errors=True)
    if not running.site.postgres.running:
        running.site.postgres.start(timeout_seconds=120)
    running.write("DELETE FROM jobs")


def upload(
    site: RestoreSite,
    account: UUID,
    name: str,
    *,
    status: str = "queued",
    stored_at: datetime | None = None,
    in_store: bytes | None = CONTENTS,
) -> tuple[UUID, str]:
    """Stores a document as the API does. Returns its job and the key of its file."""
    contents, key = name.encode() + CONTENTS, f"uploads/{account}/{name}.pdf"
    if in_store is not None:
        put_upload(site, key, name.encode() + in_store)
    values = (account, contents, len(contents), key, stored_at or datetime.now(tz=UTC), status)
    site.write("UPDATE accounts SET stored_bytes = stored_bytes + %s WHERE id = %s", len(contents), account)
    return site.write(_UPLOADED, *values, process="owner"), key


def hours_ago(hours: float) -> datetime:
    return datetime.now(tz=UTC) - timedelta(hours=hours)


def copies_in(site: RestoreSite) -> list[str]:
    return site.site.objects(PREFIX)


def put_upload(site: RestoreSite, key: str, contents: bytes) -> None:
    site.site.store.admin_client().put_object(
        bucket_name=UPLOADS, object_name=key, data=io.BytesIO(contents), length=len(contents)
    )


def uploads(site: RestoreSite) -> dict[str, bytes]:
    client = site.site.store.admin_client()
    keys = [
        str(each.object_name) for each in client.list_objects(bucket_name=UPLOADS, prefix="uploads/", recursive=True)
    ]
    return {key: client.get_object(bucket_name=UPLOADS, object_name=key).read() for key in keys}


def lose_uploads(site: RestoreSite) -> None:
    for key in uploads(site):
        site.site.store.admin_client().remove_object(bucket_name=UPLOADS, object_name=key)


def anew(site: RestoreSite, *, hours_later: float = 0, secret: str | None = None) -> ObjectBackup:
    """The copies as another process sees them, which knows nothing of earlier passes. It may write to both stores."""
    repository, objects = site.site.backups.repository, site.site.backups.objects
    copies = Copies(
        Bucket(bucket_address(repository.variables)), secret or repository.variables["PGBACKREST_REPO1_CIPHER_PASS"]
    )
    uploads_bucket = Bucket(site.site.store.uploads_address("restore"))
    return replace(
        objects, copies=copies, uploads=uploads_bucket, now=lambda: datetime.now(tz=UTC) + timedelta(hours=hours_later)
    )


def test_what_may_still_be_read_is_copied_once_and_encrypted(site: RestoreSite) -> None:
    """Documents that were read are not copied, since their entries are in PostgreSQL (decision 35)."""
    account = site.account("copied")
    for name, status in (("waits", "queued"), ("failed", "failed"), ("was-read", "completed")):
        upload(site, account, name, status=status)
    upload(site, account, "old", status="failed", stored_at=hours_ago(25))
    before = set(copies_in(site))
    first, second, other = anew(site).copy(), site.site.backups.objects.copy(), anew(site).copy()
    keys = set(copies_in(site)) - before
    stored = [site.site.store.backup_client().get_object(bucket_name=BUCKET, object_name=key).read() for key in keys]

    assert (first.copied, second.copied, other.copied, first.lost) == (2, 0, 0, 0)
    assert len(keys) == 2
    assert b"Thandi" not in b"".join(stored)
    assert str(account) not in " ".join(keys)


def test_a_copy_ends_with_its_file_and_its_bytes_go(site: RestoreSite) -> None:
    """Until then, the key that wrote it can neither remove it nor shorten its lock (R9.4, R11.5)."""
    day = timedelta(hours=24)
    upload(site, site.account("ended"), "ends", status="failed", stored_at=datetime.now(tz=UTC) - day + LOCKED)
    before = set(copies_in(site))
    assert anew(site).copy().copied == 1
    (key,) = set(copies_in(site)) - before
    client = site.site.store.backup_client()
    (version,) = client.list_objects(bucket_name=BUCKET, prefix=key, include_version=True)
    soon = datetime.now(tz=UTC) + timedelta(seconds=2)
    for attempt in (
        lambda: client.remove_object(bucket_name=BUCKET, object_name=key, version_id=version.version_id),
        lambda: client.set_object_retention(
            bucket_name=BUCKET,
            object_name=key,
            config=Retention(GOVERNANCE, soon),
        ),
    ):
        with pytest.raises(S3Error, match="AccessDenied"):
            attempt()
    assert anew(site).copy().removed == 0
    # The lock ends by the store's own clock.
    wait_until(lambda: anew(site, hours_later=0.1).copy().removed == 1, timeout_seconds=60)

    versions = client.list_objects(bucket_name=BUCKET, prefix=key, recursive=True, include_version=True)
    assert list(versions) == []


def test_a_job_that_waits_for_longer_than_a_day_keeps_its_copy(site: RestoreSite) -> None:
    """This happens, for example, while the queue is paused. Each renewed copy is kept for two hours."""
    account = site.account("waits-long")
    _, key = upload(site, account, "waits-long", stored_at=hours_ago(30))
    assert anew(site).copy().copied == 1
    assert anew(site).copy().copied == 0
    assert anew(site, hours_later=1.5).copy().copied == 1
    lose_uploads(site)
    returned = anew(site).bring_back_needed()

    assert (returned.present, returned.returned, returned.missing) == (0, 1, 0)
    assert uploads(site)[key] == b"waits-long" + CONTENTS


def test_a_backup_counts_only_with_every_file_that_its_rows_name(site: RestoreSite) -> None:
    """The checksum of each file is compared.

    A file that the object store itself has lost does not invalidate the backup (R9.2).
    """
    account = site.account("verified")
    upload(site, account, "sound")
    upload(site, account, "lost", in_store=None)
    upload(site, account, "changed", in_store=b"another file")
    before = set(copies_in(site))
    record = site.site.backups.back_up()
    assert record.verified
    assert anew(site).copy().lost == 2
    (key,) = set(copies_in(site)) - before
    client = site.site.store.backup_client()
    whole = client.get_object(bucket_name=BUCKET, object_name=key).read()
    broken = bytes([*whole[:-1], whole[-1] ^ 1])
    for contents in (broken, whole):
        client.put_object(bucket_name=BUCKET, object_name=key, data=io.BytesIO(contents), length=len(contents))
        if contents is broken:
            with pytest.raises(NotVerified, match="1 files of documents have no sound copy"):
                site.site.backups.verify(record.backup.label)

    assert site.site.backups.verify(record.backup.label).verified


def test_with_another_key_no_copy_opens(site: RestoreSite) -> None:
    """If `backupKey` is lost, the copies are lost with the backups."""
    upload(site, site.account("another-key"), "sealed")
    anew(site).copy()
    lose_uploads(site)

    assert anew(site, secret="another").bring_back_needed().missing == 1
    assert anew(site).bring_back_needed().returned == 1


def test_a_restore_brings_back_the_files_that_its_rows_need(site: RestoreSite) -> None:
    """The files are those of the restored moment, without files that visitors deleted since.

    A file without a copy is counted (R9.4).
    """
    account = site.account("restored-files")
    _, waits = upload(site, account, "waits")
    read, read_key = upload(site, account, "read-later")
    deleted, deleted_key = upload(site, account, "deleted-later")
    upload(site, account, "nowhere", in_store=None)
    site.site.backups.back_up()
    moment = site.moment()
    site.write("DELETE FROM jobs WHERE id = %s", deleted)
    site.write(_STARTED, read, process="owner")
    site.write("UPDATE jobs SET status = 'completed', lease_until = NULL, finished_at = now() WHERE id = %s", read)
    site.archive_all()
    lose_uploads(site)
    site.site.postgres.stop()
    away = site.restored("--to", moment, "--replace", environment={"UPSCHEDULE_OBJECTS_ENDPOINT": "127.0.0.1:9"})
    done = site.restored("--to", moment, "--replace")
    assert done.code == 0, done.said
    site.site.postgres.start(timeout_seconds=120)

    assert (away.code, "Nothing was changed." in away.said) == (3, True), away.said
    assert uploads(site) == {waits: b"waits" + CONTENTS, read_key: b"read-later" + CONTENTS}
    assert deleted_key not in uploads(site)
    assert "Files of documents that may still be read: 0 there, 2 restored, 1 missing." in done.output
    assert "asks for the file again" in done.output


def test_an_object_store_that_is_lost_gets_its_files_while_the_service_goes_on(site: RestoreSite) -> None:
    """No service is stopped, and existing files do not change."""
    account = site.account("lost-store")
    _, lost_key = upload(site, account, "gone")
    anew(site).copy()
    lose_uploads(site)
    _, there = upload(site, account, "there")
    done = site.restored("--to", "latest", "--objects-only")
    refused = site.restored("--to", "latest", "--objects-only", "--table", "jobs")

    assert done.code == 0, done.said
    assert done.output == "Files of documents that may still be read: 1 there, 1 restored, 0 missing.\n"
    assert uploads(site) == {lost_key: b"gone" + CONTENTS, there: b"there" + CONTENTS}
    assert refused.code == 2


def test_a_restore_without_files_is_possible_where_the_object_store_is_away(site: RestoreSite) -> None:
    """The files are restored later with --objects-only."""
    site.account("without-files")
    site.site.backups.back_up()
    site.site.postgres.stop()
    nowhere = {"UPSCHEDULE_OBJECTS_ENDPOINT": "127.0.0.1:9"}
    done = site.restored("--to", "latest", "--replace", "--without-objects", environment=nowhere)

    assert done.code == 0, done.said
    assert "Nothing was done about files of documents." in done.output


def test_a_store_that_is_away_ends_the_pass_and_not_the_copies(site: RestoreSite) -> None:
    """The next pass copies the remaining files."""
    upload(site, site.account("away"), "away")
    objects = anew(site)
    address = msgspec.structs.replace(site.site.store.uploads_address("object-copies"), endpoint="127.0.0.1:9")
    with pytest.raises(StepFailed, match="Reading a file failed"):
        replace(objects, uploads=Bucket(address)).copy()

    assert objects.copy().copied == 1


def test_the_copying_process_shows_when_state_was_saved(site: RestoreSite, tmp_path: Path) -> None:
    """Only the expected sets are shown, the newest of each, and nothing for a set that was never saved (R9.5)."""
    file = tmp_path / "stack.json"
    file.write_bytes(b"{}")
    variables = site.site.backups.repository.variables
    states = States(Bucket(bucket_address(variables)), variables["PGBACKREST_REPO1_CIPHER_PASS"])
    newest = datetime.now(tz=UTC)
    for name, days in (("stack", 2), ("stack", 0), ("servers", 1), ("of-an-operator", 0)):
        states.save(name, [file], newest - timedelta(days=days))

    def shown(name: str) -> float | None:
        return metric(port, "upschedule_saved_state_time_seconds", set=name)

    with copying(site.site) as port:
        wait_until(lambda: shown("stack") is not None, timeout_seconds=60)
        found = {name: shown(name) for name in ("servers", "stack", "keys", "of-an-operator")}
    assert found == {
        "servers": int((newest - timedelta(days=1)).timestamp()),
        "stack": int(newest.timestamp()),
        "keys": None,
        "of-an-operator": None,
    }
