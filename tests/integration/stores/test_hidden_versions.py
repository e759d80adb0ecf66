"""Deleted or replaced versions in a bucket with an object lock, on a real SeaweedFS (R9.4)."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from minio import Minio
from minio.commonconfig import GOVERNANCE
from minio.objectlockconfig import DAYS, ObjectLockConfig

from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.stores.bucket import Bucket, ObjectMissing

_numbers = itertools.count(1)
HOUR = timedelta(hours=1)


@pytest.fixture
def bucket(seaweedfs_server: SeaweedFS) -> Iterator[Bucket]:
    """A bucket whose versions are not locked unless a test locks them."""
    name = f"test-versions-{next(_numbers)}"
    seaweedfs_server.admin_client().make_bucket(bucket_name=name, object_lock=True)
    created = Bucket(seaweedfs_server.address(name))
    yield created
    created.close()


@pytest.fixture
def admin(seaweedfs_server: SeaweedFS) -> Minio:
    return seaweedfs_server.admin_client()


def versions(admin: Minio, bucket: Bucket) -> list[tuple[str, bool]]:
    """The key of each version, and whether it is a delete marker."""
    found = admin.list_objects(bucket_name=bucket.address.bucket, recursive=True, include_version=True)
    return sorted((str(each.object_name), each.is_delete_marker) for each in found)


def fill(bucket: Bucket) -> None:
    """Stores one object once, one that is replaced twice, and one that is deleted."""
    for key, texts in {"kept": [b"1"], "replaced": [b"1", b"2", b"3"], "deleted": [b"1", b"2"]}.items():
        for text in texts:
            bucket.put(key, text, content_type="text/plain")
    bucket.delete("deleted")


def test_what_has_been_hidden_for_long_enough_is_removed(bucket: Bucket, admin: Minio) -> None:
    """Current versions stay, and a deleted object leaves no version."""
    fill(bucket)
    before = versions(admin, bucket)

    assert bucket.remove_hidden(hidden_before=datetime.now(tz=UTC) - HOUR) == 0
    assert versions(admin, bucket) == before
    assert bucket.remove_hidden(hidden_before=datetime.now(tz=UTC) + HOUR) == 5
    assert versions(admin, bucket) == [("kept", False), ("replaced", False)]
    assert bucket.get("replaced", size_bytes_max=10) == b"3"


def test_what_the_lock_protects_stays_and_stays_hidden(bucket: Bucket, admin: Minio) -> None:
    """If only the delete marker were removed, the object would be visible again."""
    admin.set_object_lock_config(
        bucket_name=bucket.address.bucket, config=ObjectLockConfig(mode=GOVERNANCE, duration=1, duration_unit=DAYS)
    )
    fill(bucket)
    before = versions(admin, bucket)

    assert bucket.remove_hidden(hidden_before=datetime.now(tz=UTC) + HOUR) == 0
    assert versions(admin, bucket) == before
    with pytest.raises(ObjectMissing):
        bucket.get("deleted", size_bytes_max=10)


def test_a_renewed_object_is_a_version_of_its_own(bucket: Bucket, admin: Minio) -> None:
    """The new version has the same bytes."""
    bucket.put("keys", b"secret", content_type="text/plain")
    bucket.renew("keys", size_bytes_max=10)

    assert versions(admin, bucket) == [("keys", False), ("keys", False)]
    assert bucket.get("keys", size_bytes_max=10) == b"secret"


def test_a_listing_ends_where_one_key_continues_another(bucket: Bucket) -> None:
    """Each object is found once. Asking for what comes after the last key finds one of the two without an end."""
    keys = ["a/first", "a/info", "a/info.copy"]
    for key in keys:
        bucket.put(key, b"1", content_type="text/plain")

    assert sorted(each.key for each in itertools.islice(bucket.find_all("a/"), 2 * len(keys))) == keys
