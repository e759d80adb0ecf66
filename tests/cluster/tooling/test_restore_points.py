"""`upschedule prepare` makes a restore point before each release where PostgreSQL is backed up (R12.5)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client import REGISTRY

from tests.support.cluster.tooling.backup_site import BackupSite, running_site
from tests.support.releases.unpacked import NEXT, Preparation, Ran, make_release
from tests.support.servers import DEBIAN_POSTGRES, Database, wait_until
from upschedule.operations.cluster_backup.model import BackupSet, Verification
from upschedule.operations.cluster_backup.scratch import restored
from upschedule.operations.cluster_backup.target import choose_target
from upschedule.operations.embedded.postgres import DATABASE
from upschedule.operations.privileges.identities import PROCESSES
from upschedule.scheduler.backup_metrics import BackupMetrics
from upschedule.stores.database import Database as StoreDatabase
from upschedule.stores.database import PoolOptions

pytestmark = pytest.mark.timeout(300)
OPTIONS = PoolOptions(size_min=1, size_max=1, waiting_max=2, wait_seconds=10, statement_seconds=5, connect_seconds=5)
DESTRUCTIVE = ("expand", "DELETE FROM academic_years;")


@pytest.fixture(scope="module")
def running() -> Iterator[BackupSite]:
    with running_site() as site:
        site.backups.repository.create(site.backups.reference.dsn)
        yield site


@dataclass(frozen=True)
class Cluster:
    """Prepares releases as Nomad does. Each test has its own migration numbers and names of releases."""

    backup: BackupSite
    preparation: Preparation
    folder: Path

    def release(self, version: str, *more: tuple[str, str]) -> Path:
        return make_release(self.folder / version, version, *more)

    def prepared(self, release: Path, deployment: str, *options: str, now_running: str = "") -> Ran:
        """Runs one instance of the deployment while those in `now_running` run."""
        file = self.folder / "running-deployments"
        file.write_text(f"\n{now_running}\n")
        return self.preparation.run(
            release, "--deployment", deployment, "--running-deployments", str(file), "--archive-seconds", "60", *options
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.backup.postgres.owner_dsn()) as connection:
            return connection.execute(query.encode()).fetchall()

    def points(self) -> list[str]:
        """Deployments of the restore points, in order of their creation."""
        return [deployment for (deployment,) in self.rows("SELECT deployment FROM restore_points ORDER BY id")]


@pytest.fixture
def cluster(running: BackupSite, tmp_path: Path) -> Iterator[Cluster]:
    server = running.postgres
    database = Database(
        name=DATABASE,
        dsn=server.application_dsn(),
        owner_dsn=server.owner_dsn(),
        backup_dsn=server.backup_dsn(),
        process_dsns={process: server.process_dsn(process) for process in PROCESSES},
    )
    preparation = Preparation(database=database, store=running.store.address(), programs=DEBIAN_POSTGRES)
    yield Cluster(running, preparation, tmp_path)
    running.execute(
        f"TRUNCATE releases, restore_points, backup_runs; DELETE FROM schema_migrations WHERE number >= {NEXT}"
    )


def verified_row(site: BackupSite, made_at: datetime) -> int | None:
    """A successful run, as `upschedule backup now` records it."""
    runs, label = site.backups.runs, f"{made_at:%Y%m%d-%H%M%S}F"
    backup = BackupSet(label=label, started_at=made_at, finished_at=made_at, size_bytes=1, stored_bytes=1)
    run = runs.begin(made_at)
    runs.made(run, backup)
    runs.verified(label, Verification(finished_at=made_at, seconds=1.0))
    runs.end(run, made_at)
    return run


def ago(**age: float) -> datetime:
    return datetime.now(tz=UTC) - timedelta(**age)


def test_the_database_comes_back_as_it_was_before_a_destructive_migration(cluster: Cluster) -> None:
    """The restore point's write-ahead log was archived before the migration began."""
    site = cluster.backup
    backup = site.backups.back_up()
    site.execute("INSERT INTO accounts (email, password_hash) VALUES ('before@tuks.example', 'x')")
    years = cluster.rows("SELECT count(*) FROM academic_years")
    done = cluster.prepared(cluster.release("1", DESTRUCTIVE), "1/a/b")
    assert done.code == 0, done.said
    site.execute("INSERT INTO accounts (email, password_hash) VALUES ('after@tuks.example', 'x')")

    ((name, label),) = cluster.rows("SELECT name, backup FROM restore_points")
    assert (label, done.events["release_prepared"]["backup"]) == (backup.backup.label, name)
    assert cluster.rows("SELECT backup FROM releases") == [(name,)]
    assert cluster.rows("SELECT count(*) FROM academic_years") == [(0,)]
    with (
        restored(choose_target(name, site.backups.list()), site.backups.repository, site.backups.scratch) as scratch,
        psycopg.connect(scratch.dsn(DATABASE)) as connection,
    ):
        assert connection.execute("SELECT count(*) FROM academic_years").fetchall() == years
        people = "SELECT email FROM accounts WHERE email IS NOT NULL"
        assert connection.execute(people).fetchall() == [("before@tuks.example",)]


def test_other_instances_and_retries_make_no_further_restore_point(cluster: Cluster) -> None:
    """Other settings of a prepared release make one, and so does a rollback to an earlier release."""
    verified_row(cluster.backup, ago(hours=1))
    one, two = cluster.release("1"), cluster.release("2", ("expand", "SELECT 1 / 0;"))
    steps: list[Callable[[], Ran]] = [
        lambda: cluster.prepared(one, "1/a/b"),
        lambda: cluster.prepared(one, "1/a/b"),
        lambda: cluster.prepared(one, "1/changed/b", now_running="1/a/b"),
        lambda: cluster.prepared(one, "1/a/b", now_running="1/a/b"),
        lambda: cluster.prepared(two, "2/a/b", now_running="1/a/b"),
        lambda: cluster.prepared(two, "2/a/b", now_running="1/a/b"),
        lambda: cluster.prepared(one, "1/a/b", now_running="1/a/b"),
        lambda: cluster.prepared(one, "1/a/b", now_running="1/changed/b"),
    ]

    assert [each().code for each in steps] == [0, 0, 0, 0, 4, 4, 0, 0]
    assert cluster.points() == ["1/a/b", "1/changed/b", "2/a/b", "1/a/b"]


def test_nothing_new_starts_without_a_recent_verified_backup(cluster: Cluster) -> None:
    """Neither a release nor changed settings start. A rollback starts, since it needs no migration."""
    verified_row(cluster.backup, ago(hours=25))
    one = cluster.release("1")
    assert cluster.prepared(one, "1/a/b").code == 0
    cluster.backup.execute("UPDATE backup_runs SET made_at = made_at - interval '2 hours'")
    two = cluster.release("2", ("expand", "CREATE TABLE more (id int);"))
    release, settings = cluster.prepared(two, "2/a/b"), cluster.prepared(one, "1/changed/b")
    cluster.backup.execute(
        "INSERT INTO restore_points (name, deployment, version, made_at, backup) VALUES ('x', '3/a/b', '3', now(), 'x')"
    )
    back = cluster.prepared(one, "1/a/b", now_running="3/a/b")

    assert (release.code, settings.code, back.code) == (5, 5, 0), back.said
    sentence = "No verified backup is younger than 26 hours: make one with `nomad job periodic force"
    assert sentence in release.said
    assert sentence in settings.said
    assert sentence in back.events["restore_point_not_made"]["reason"]
    assert cluster.rows("SELECT to_regclass('more')") == [(None,)]
    assert cluster.points() == ["1/a/b", "3/a/b"]


async def test_a_cluster_whose_backups_never_began_shows_since_when(cluster: Cluster) -> None:
    """`BackupLate` fires because of this time. Where PostgreSQL archives nothing, no backup is expected."""
    cluster.backup.execute("INSERT INTO releases VALUES ('1', 1, 'x', '2026-11-30 09:00:00+00')")
    database = StoreDatabase(cluster.preparation.database.process_dsns["scheduler"], OPTIONS)
    await database.open()
    try:
        await BackupMetrics(database).measure()
    finally:
        await database.close()

    since = datetime(2026, 11, 30, 9, tzinfo=UTC).timestamp()
    assert REGISTRY.get_sample_value("upschedule_backup_run_time_seconds", {"outcome": "none"}) == since


def test_a_release_waits_for_the_backup_that_is_being_made(cluster: Cluster) -> None:
    """This happens on a new cluster. A release does not wait for a backup whose process was killed."""
    runs = cluster.backup.backups.runs
    run = runs.begin(ago(seconds=5))
    release = cluster.release("1")
    with cluster.preparation.started(release, "--deployment", "1/a/b") as waiting:
        wait_until(lambda: cluster.rows(f"SELECT FROM pg_stat_activity WHERE query LIKE '%{'alive_until > now'}%'"))
        finished_at = datetime.now(tz=UTC)
        label = "20261130-010000F"
        backup = BackupSet(label=label, started_at=finished_at, finished_at=finished_at, size_bytes=1, stored_bytes=1)
        runs.made(run, backup)
        runs.verified(label, Verification(finished_at=finished_at, seconds=1.0))
        output, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, errors
    assert "restore_point_made" in output

    cluster.backup.execute(
        "UPDATE backup_runs SET verified_at = NULL, alive_until = now() - interval '1 second', ended_at = NULL"
    )
    assert cluster.prepared(cluster.release("2"), "2/a/b").code == 5


def test_a_restore_point_that_is_not_archived_starts_no_release(cluster: Cluster) -> None:
    """The store is unreachable, so the database could not be restored to the point, and nothing is migrated."""
    verified_row(cluster.backup, ago(hours=1))
    cluster.backup.store.kill()
    try:
        release = cluster.release("1", ("expand", "CREATE TABLE more (id int);"))
        refused = cluster.prepared(release, "1/a/b", "--archive-seconds", "2")
    finally:
        cluster.backup.store.start()

    assert refused.code == 5
    assert "The restore point failed: PostgreSQL did not archive the segment" in refused.said
    assert cluster.rows("SELECT to_regclass('more')") == [(None,)]
    assert cluster.points() == []
