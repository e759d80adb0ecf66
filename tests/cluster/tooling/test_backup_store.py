"""The bucket of the repository, which the job `backup-store` creates with Python's standard library only (R9.4)."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support import certificates
from tests.support.cluster.tooling.backup_site import LockedStore
from tests.support.paths import ROOT
from tests.support.servers import scratch_directory, started

PROGRAM = ROOT / "jobs" / "backup-store" / "bucket.py"


@pytest.fixture(scope="module")
def store() -> Iterator[LockedStore]:
    with scratch_directory() as scratch:
        folder = scratch / "certificates"
        for arguments in (("authority",), ("store", "DNS:localhost", "IP:127.0.0.1")):
            certificates.make(folder, *arguments).check_returncode()
        with started(LockedStore(scratch / "repository", folder / "authority.pem")) as running:
            yield running


def create_bucket(store: LockedStore, bucket: str, *, days: int = 9, key: str = "lock-secret") -> tuple[int, str]:
    """Runs the job's program and returns its exit code and standard error."""
    done = subprocess.run(
        [sys.executable, PROGRAM, store.address().endpoint, bucket, str(days), "us-east-1"],
        env={"PATH": os.environ["PATH"], "ACCESS_KEY": "lock", "SECRET_KEY": key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def test_the_bucket_is_made_with_its_lock_once_or_again(store: LockedStore) -> None:
    """A changed number of days applies to objects that are written afterwards."""
    assert [create_bucket(store, "first", days=days) for days in (9, 9, 12)] == [(0, "")] * 3
    lock = store.admin_client().get_object_lock_config(bucket_name="first")

    assert (lock.mode, lock.duration, lock.duration_unit) == ("GOVERNANCE", 12, "Days")


def test_a_bucket_without_a_lock_is_refused(store: LockedStore) -> None:
    """A lock cannot be added later, so the key that writes backups could destroy them."""
    store.admin_client().make_bucket(bucket_name="plain")
    code, message = create_bucket(store, "plain")

    assert code == 1
    assert "the bucket plain exists without an object lock" in message


def test_a_wrong_key_is_reported_at_once(store: LockedStore) -> None:
    """The program does not retry for half a minute, and its message does not contain the secret."""
    code, message = create_bucket(store, "second", key="another-secret")

    assert code == 1
    assert "SignatureDoesNotMatch" in message
    assert "another-secret" not in message
