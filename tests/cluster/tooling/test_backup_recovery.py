"""PostgreSQL is lost, or its repository is unreachable (R9.1, R9.3, R9.5). The tests take some minutes."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.tooling.backup_site import (
    QUEUE_BYTES_MAX,
    STOP_SECONDS,
    WAL_BYTES_MAX,
    BackupSite,
    copying,
    running_site,
)
from tests.support.processes.health_pages import metric
from tests.support.servers import wait_until
from upschedule.operations.cluster_backup.errors import NotArchived, StepFailed
from upschedule.operations.cluster_backup.gaps import ArchiveGaps
from upschedule.operations.cluster_backup.repository import bucket_address
from upschedule.stores.bucket import Bucket

pytestmark = pytest.mark.timeout(600)
#: PostgreSQL pauses for a second after each of up to six attempts. The rest is a margin for a busy machine.
NOISE_SECONDS = 15.0
GAP = "upschedule_archive_gap_time_seconds"


@pytest.fixture(scope="module")
def site() -> Iterator[BackupSite]:
    with running_site() as running:
        yield running


def test_a_store_that_is_away_stops_no_writer_and_fills_no_disk(site: BackupSite) -> None:
    """The backup fails with the reason. Once the store is reachable, the next backup counts (R9.5).

    The missing segments are found, from before that backup, by a process that knows the archive and by a new one.
    """
    short = replace(
        site.backups,
        repository=replace(site.backups.repository, program_seconds=60),
        reference=replace(site.backups.reference, archive_seconds=3),
    )
    site.backups.repository.create(site.backups.reference.dsn)
    site.execute("INSERT INTO accounts (stored_bytes) VALUES (1)")
    segment = site.switch_segment()
    wait_until(lambda: site.archived(segment), timeout_seconds=60)
    known = gaps_of(site)
    assert known.newest() is None
    site.store.kill()
    for _ in range(12):
        site.execute("INSERT INTO accounts (stored_bytes) VALUES (1)")
        site.switch_segment()
    full = site.log_bytes()
    with pytest.raises((StepFailed, NotArchived), match=r"pgbackrest|archive"):
        short.back_up()

    def bounded() -> bool:
        site.checkpoint()
        return site.log_bytes() <= QUEUE_BYTES_MAX + WAL_BYTES_MAX

    assert full > QUEUE_BYTES_MAX + WAL_BYTES_MAX
    wait_until(bounded, timeout_seconds=200)
    site.execute("INSERT INTO accounts (stored_bytes) VALUES (1)")
    site.store.start()

    record = site.backups.back_up()
    with copying(site) as port:
        wait_until(lambda: metric(port, GAP, state="newest") is not None, timeout_seconds=60)
        shown = metric(port, GAP, state="newest")

    assert record.verified
    found = known.newest()
    assert found
    assert (found, found.timestamp()) == (gaps_of(site).newest(), shown)
    assert found < record.backup.finished_at


def gaps_of(site: BackupSite) -> ArchiveGaps:
    """What a process finds that has just begun."""
    repository = site.backups.repository
    return ArchiveGaps(Bucket(bucket_address(repository.variables)), repository.stanza)


def test_a_store_that_is_away_delays_no_orderly_end_and_costs_no_segment(site: BackupSite, figure: Figure) -> None:
    """The store is frozen, so pgBackRest waits.

    Segments that were not archived are archived after the next start (R3.5, R9.5).
    """
    site.backups.repository.create(site.backups.reference.dsn)
    frozen = site.store.pid
    assert frozen
    os.kill(frozen, signal.SIGSTOP)
    try:
        site.execute("INSERT INTO accounts (stored_bytes) VALUES (1)")
        segment = site.switch_segment()
        began = time.monotonic()
        site.postgres.request_stop()
        wait_until(lambda: not site.postgres.running, timeout_seconds=120)
        took = time.monotonic() - began
        site.postgres.stop()
    finally:
        os.kill(frozen, signal.SIGCONT)
    figure("seconds of an orderly end of PostgreSQL while the repository's store hangs", took)
    assert took < STOP_SECONDS + NOISE_SECONDS
    site.postgres.start(timeout_seconds=120)
    wait_until(lambda: site.archived(segment), timeout_seconds=60)


def test_a_server_that_is_lost_comes_back_as_of_a_second(site: BackupSite) -> None:
    """The commands of docs/cluster-backup.md restore all that was committed before that second, and nothing newer."""
    site.backups.repository.create(site.backups.reference.dsn)
    site.backups.repository.back_up(site.backups.reference.dsn)
    site.execute("INSERT INTO accounts (email, password_hash) VALUES ('before@tuks.example', 'x')")
    with psycopg.connect(site.postgres.superuser_dsn(), autocommit=True) as connection:
        moment = connection.execute("SELECT clock_timestamp()::text").fetchone()
    site.execute("INSERT INTO accounts (email, password_hash) VALUES ('after@tuks.example', 'x')")
    segment = site.switch_segment()
    wait_until(lambda: site.archived(segment), timeout_seconds=60)
    site.postgres.kill()
    data = site.postgres.directory / "data"
    shutil.rmtree(data)
    data.mkdir(mode=0o700)
    assert moment

    command = [
        "pgbackrest",
        "--no-config",
        "restore",
        "--type=time",
        f"--target={moment[0]}",
        "--target-action=promote",
    ]
    subprocess.run(command, env={"PATH": "/usr/bin:/bin", **site.postgres.variables}, check=True, timeout=120)
    site.postgres.start(timeout_seconds=120)

    with psycopg.connect(site.postgres.owner_dsn(), autocommit=True) as connection:
        rows = connection.execute("SELECT email FROM accounts WHERE email IS NOT NULL").fetchall()
    assert rows == [("before@tuks.example",)]
