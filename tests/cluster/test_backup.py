"""The cluster archives its log, and its nightly job makes a verified backup (R9.1, R9.2, R9.5).

Both run as users of their own.
"""

import psycopg
import pytest

from tests.support.cluster.whole.backups import administrators_store, backed_up, figures
from tests.support.cluster.whole.cluster import owner_url
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster

pytestmark = pytest.mark.timeout(600)
BACKED_UP_SECONDS = 300
SHOWN_SECONDS = 60


def test_the_nightly_job_makes_a_backup_that_counts(cluster: LocalCluster) -> None:
    """The server archives without a failure. The backup is restored, compared, and shown by Prometheus."""
    run = backed_up(cluster, timeout_seconds=BACKED_UP_SECONDS)
    assert run.exit_code == 0, run.log
    with psycopg.connect(owner_url(cluster)) as connection:
        rows = connection.execute("SELECT outcome, reason, size_bytes > 1000000 FROM backup_runs").fetchall()
    assert set(rows) == {("verified", None, True)}
    wait_until(
        lambda: len(figures(cluster, 'max(upschedule_backup_time_seconds{state="verified"})')) == 1,
        timeout_seconds=SHOWN_SECONDS,
    )
    wait_until(
        lambda: figures(cluster, "max(pg_stat_archiver_last_archive_age) < bool 60") == [1.0],
        timeout_seconds=SHOWN_SECONDS,
    )


def test_what_the_cluster_archives_is_locked(cluster: LocalCluster) -> None:
    """The store is separate, and its bucket was created with the lock (R9.4)."""
    store = administrators_store(cluster)
    lock = store.get_object_lock_config(bucket_name="repository")

    assert (lock.mode, lock.duration, lock.duration_unit) == ("GOVERNANCE", 9, "Days")
    wait_until(
        lambda: any(store.list_objects(bucket_name="repository", prefix="archive/upschedule/15-1/", recursive=True)),
        timeout_seconds=SHOWN_SECONDS,
    )
