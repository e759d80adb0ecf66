"""Backups whose repository is damaged, emptied or outdated, or whose process is killed (R9).

The tests take some minutes.
"""

import io
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tests.support.cluster.tooling.backup_site import BUCKET, BackupSite, running_site
from tests.support.servers import wait_until
from upschedule.operations.cluster_backup.errors import NotVerified
from upschedule.operations.cluster_backup.model import Record

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def site() -> Iterator[BackupSite]:
    with running_site() as running:
        yield running


@pytest.fixture(scope="module")
def record(site: BackupSite) -> Record:
    return site.backups.back_up()


def test_a_flipped_bit_in_the_repository_is_found(site: BackupSite, record: Record) -> None:
    """The backup no longer counts as verified, and an operator sees the reason (R9.2, R9.5)."""
    client = site.store.backup_client()
    key = max(
        site.objects(f"backup/upschedule/{record.backup.label}/pg_data/base/"),
        key=lambda each: client.stat_object(bucket_name=BUCKET, object_name=each).size or 0,
    )
    whole = client.get_object(bucket_name=BUCKET, object_name=key).read()
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 1
    client.put_object(bucket_name=BUCKET, object_name=key, data=io.BytesIO(bytes(broken)), length=len(broken))
    try:
        with pytest.raises(
            NotVerified, match=f"The backup {record.backup.label} does not count: it cannot be restored"
        ):
            site.backups.verify(record.backup.label)
        assert not site.backups.show(record.backup.label).verified
    finally:
        client.put_object(bucket_name=BUCKET, object_name=key, data=io.BytesIO(whole), length=len(whole))
    assert list(site.backups.scratch.folder.iterdir()) == []
    assert site.backups.verify(record.backup.label).verified


def test_what_the_key_deleted_comes_back(site: BackupSite, record: Record) -> None:
    """The key can only hide objects.

    The store's owner removes the delete markers, and the backup is valid again (R9.4).
    """
    client, admin = site.store.backup_client(), site.store.admin_client()
    for key in site.objects():
        client.remove_object(bucket_name=BUCKET, object_name=key)
    assert site.backups.list() == []

    everything = list(admin.list_objects(bucket_name=BUCKET, recursive=True, include_version=True))
    for each in everything:
        if each.is_delete_marker:
            admin.remove_object(bucket_name=BUCKET, object_name=str(each.object_name), version_id=each.version_id)
    assert site.backups.verify(record.backup.label).verified


def test_a_server_that_restarts_ends_the_backup_that_is_being_made(site: BackupSite, record: Record) -> None:
    """What was begun does not count, and the next backup does (R9.2, R9.5)."""
    before = [backup.label for backup, _ in site.backups.list()]
    with site.started("now") as process:
        wait_until(site.is_backing_up, timeout_seconds=120)
        site.postgres.kill()
        site.postgres.start(timeout_seconds=120)
        _, errors = process.communicate(timeout=300)

    assert process.returncode == 3, errors
    assert [backup.label for backup, known in site.backups.list() if known and known.verified] == before
    assert site.backups.back_up().verified


def test_a_backup_with_another_key_changes_nothing(site: BackupSite, record: Record) -> None:
    """The command ends with its exit code, and the backups that were made with the right key still count (R9.5)."""
    before = [backup.label for backup, _ in site.backups.list()]
    with site.started("now", environment={"PGBACKREST_REPO1_CIPHER_PASS": "another"}) as process:
        _, errors = process.communicate(timeout=120)

    assert process.returncode == 3, errors
    assert [backup.label for backup, _ in site.backups.list()] == before
    assert site.backups.verify(record.backup.label).verified


def test_a_clock_that_is_moved_back_removes_nothing(site: BackupSite, record: Record) -> None:
    """Neither backups nor versions that can still be brought back; one that is moved on keeps the newest (R9.1)."""
    labels = [backup.label for backup, _ in site.backups.list()]
    for days in (-400, 400):
        replace(site.backups, now=lambda days=days: datetime.now(tz=UTC) + timedelta(days=days)).remove_old()
        left = [backup.label for backup, _ in site.backups.list()]
        assert left == (labels if days < 0 else labels[-1:])
    assert site.backups.verify(labels[-1]).verified


def test_old_backups_go_when_a_newer_one_counts(site: BackupSite, record: Record) -> None:
    """Write-ahead log that only they needed is removed with them. An injected clock moves time forward (R9.1)."""
    later = replace(site.backups, now=lambda: datetime.now(tz=UTC) + timedelta(days=7, hours=1))
    newest = site.backups.back_up().backup.label
    segments = site.objects("archive/")
    broken = msgspec.structs.replace(site.backups.show(newest), verification=None)
    site.backups.records.put(broken)
    before = [backup.label for backup, _ in site.backups.list()]
    later.remove_old()
    unverified = [backup.label for backup, _ in site.backups.list()]
    site.backups.verify(newest)
    later.remove_old()

    # The newest backup that counts is the one before.
    assert unverified == before[-2:]
    assert [backup.label for backup, _ in site.backups.list()] == [newest]
    assert len(site.objects("archive/")) < len(segments)
    assert site.backups.verify(newest).verified


@pytest.mark.parametrize("stage", ["copying", "restoring"])
def test_a_backup_whose_process_is_killed_does_not_count(site: BackupSite, record: Record, stage: str) -> None:
    """It makes no difference whether pgBackRest is copying or verifying when it is killed.

    The next backup counts (R9.2, R9.5).
    """
    known = {backup.label for backup, _ in site.backups.list()}
    process = site.started("now")
    try:
        if stage == "copying":
            wait_until(lambda: copied(site) - known, timeout_seconds=120)
        else:
            wait_until(
                lambda: any(site.backups.scratch.folder.glob("restored-*/server/data/base")), timeout_seconds=200
            )
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)

    counting = {backup.label for backup, each in site.backups.list() if each and each.verified}
    assert counting <= known
    assert site.backups.back_up().verified
    assert list(site.backups.scratch.folder.iterdir()) == []


def copied(site: BackupSite) -> set[str]:
    """Labels of backups with at least one file in the repository."""
    return {key.split("/")[2] for key in site.objects("backup/upschedule/2")}
