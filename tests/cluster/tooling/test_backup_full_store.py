"""The store of the backups is full: no backup is made, the database works, and what is there can be restored (R9)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cluster.tooling.backup_site import BackupSite, running_site
from tests.support.cluster.tooling.restoring import RestoreSite
from tests.support.servers import wait_until
from upschedule.operations.cluster_backup.repository import bucket_address
from upschedule.stores.bucket import Bucket
from upschedule.stores.errors import StoreError

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]
STORE_BYTES = 300_000_000
#: The store looks for free space once a minute.
NOTICED_SECONDS = 150
PEOPLE = "SELECT email FROM accounts WHERE email IS NOT NULL ORDER BY email"


@pytest.fixture
def site() -> Iterator[BackupSite]:
    with running_site(store_bytes=STORE_BYTES) as running:
        yield running


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Fills the disk to the last byte while the block runs."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        free = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
    try:
        yield
    finally:
        ballast.unlink()


def takes_files(site: BackupSite) -> bool:
    """Whether the store has noticed that there is room again."""
    try:
        Bucket(bucket_address(site.postgres.variables)).put("probe", b"1", content_type="text/plain")
    except StoreError:
        return False
    return True


def test_a_full_store_harms_neither_the_database_nor_earlier_backups(site: BackupSite) -> None:
    """No backup is made, which the exit code says. What is there can be restored, and with room a backup counts."""
    restoring = RestoreSite(site)
    restoring.account("first")
    record = site.backups.back_up()
    restoring.account("second")
    restoring.archive_all()
    with filled(site.store.directory):
        with site.started("now") as process:
            _, errors = process.communicate(timeout=300)
        restoring.account("while-the-store-is-full")
        known = [(backup.label, bool(each and each.verified)) for backup, each in site.backups.list()]
        site.postgres.stop()
        done = restoring.restored("--to", record.backup.label, "--replace")
        site.postgres.start(timeout_seconds=120)

        assert process.returncode == 3, errors
        assert known == [(record.backup.label, True)]
        assert done.code == 0, done.said
        assert restoring.rows(PEOPLE) == [("first@tuks.example",)]
    wait_until(lambda: takes_files(site), timeout_seconds=NOTICED_SECONDS)
    assert site.backups.back_up().verified
