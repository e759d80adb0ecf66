"""The runbook of restoring, followed on a cluster whose data are destroyed (R9.3)."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.backups import backed_up
from tests.support.cluster.whole.cluster import owner_url
from tests.support.cluster.whole.releases import commit, deploy, migrating, released, version_of
from tests.support.cluster.whole.runbooks import follow, shell
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster

pytestmark = pytest.mark.timeout(1500)
BACKED_UP_SECONDS = 300
CANARY_SECONDS = 300
DESTRUCTIVE = ("expand_destroy_sources", "UPDATE academic_years SET source = 'destroyed';")
SOURCES = "SELECT year, source FROM academic_years ORDER BY year"


@pytest.fixture
def sre(cluster: LocalCluster, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of an operator's shell."""
    backup = backed_up(cluster, timeout_seconds=BACKED_UP_SECONDS)
    assert backup.exit_code == 0, backup.log
    yield {**shell(cluster), "SAVED": str(tmp_path), "DATABASE": owner_url(cluster), "ACCOUNT": "kept@tuks.example"}
    cluster.await_healthy()


def execute(cluster: LocalCluster, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(owner_url(cluster), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def archived(cluster: LocalCluster) -> None:
    """Waits until the archive contains everything that was committed."""
    ((segment,),) = execute(cluster, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    execute(cluster, "INSERT INTO accounts (stored_bytes) VALUES (0)")
    wait_until(
        lambda: execute(cluster, f"SELECT 1 FROM pg_stat_archiver WHERE last_archived_wal >= '{segment}'"),
        timeout_seconds=90,
    )


def test_everything_is_restored_by_the_runbook(
    cluster: LocalCluster, sre: dict[str, str], figure: Figure, tmp_path: Path
) -> None:
    """A destroyed database and the data of one account are restored, and the service continues with them (R9.3)."""
    execute(cluster, "INSERT INTO accounts (email, password_hash) VALUES ('kept@tuks.example', 'x')")
    moment = execute(cluster, "SELECT clock_timestamp()")[0][0]
    assert isinstance(moment, datetime)
    when = {"WHEN": moment.astimezone(UTC).isoformat()}
    execute(cluster, "DELETE FROM accounts WHERE email = 'kept@tuks.example'")
    archived(cluster)
    output = follow("restore-everything", "One account or one table", environment={**sre, **when}, folder=tmp_path)
    assert "accounts: 1 rows then, 1 of them missing or changed now, 0 new or changed" in output
    execute(cluster, (tmp_path / "restored.sql").read_text(encoding="utf-8"))
    archived(cluster)
    people = execute(cluster, "SELECT id FROM accounts WHERE email = 'kept@tuks.example'")
    follow("restore-everything", "Which moment", environment=sre)

    began = datetime.now(tz=UTC)
    output = follow("restore-everything", "Restore PostgreSQL", environment={**sre, "WHEN": "latest"})
    assert "PostgreSQL's data are restored to latest" in output
    cluster.await_healthy()
    figure("seconds from the stop until all is healthy with restored data", (datetime.now(tz=UTC) - began).seconds)
    assert execute(cluster, "SELECT id FROM accounts WHERE email = 'kept@tuks.example'") == people
    wait_until(lambda: deploy(cluster, "status").code == 0, timeout_seconds=120)
    shutil.rmtree(cluster.plan.data / "volumes" / "postgres" / "15.before-restore")
    run = backed_up(cluster, timeout_seconds=BACKED_UP_SECONDS)
    assert run.exit_code == 0, run.log


def test_what_a_bad_migration_destroyed_comes_back_by_the_runbook(
    cluster: LocalCluster, sre: dict[str, str], tmp_path: Path
) -> None:
    """The stack is set back, and the database is restored to the restore point before the migration (R12.5, R9.3)."""
    before, sources = set(released(cluster).values()), execute(cluster, SOURCES)
    repository = commit(cluster, tmp_path / "next", migrating(DESTRUCTIVE))
    follow("deploy", "Is all well?", "Release", environment=sre, folder=repository)
    wait_until(lambda: execute(cluster, SOURCES) != sources, timeout_seconds=CANARY_SECONDS)
    bad = version_of(cluster.stack.setting("release"))
    follow("revert", "Revert", "Set the stack back", environment=sre)
    point = follow("restore-everything", "After a bad migration", environment={**sre, "BAD": bad}).strip()
    output = follow("restore-everything", "Restore PostgreSQL", environment={**sre, "WHEN": point})
    cluster.await_healthy()

    assert f"PostgreSQL's data are restored to {point}" in output
    assert execute(cluster, SOURCES) == sources
    assert {version_of(cluster.stack.setting("release"))} == set(released(cluster).values()) == before
    wait_until(lambda: deploy(cluster, "status").code == 0, timeout_seconds=120)
    shutil.rmtree(cluster.plan.data / "volumes" / "postgres" / "15.before-restore")
    run = backed_up(cluster, timeout_seconds=BACKED_UP_SECONDS)
    assert run.exit_code == 0, run.log


def test_the_archive_is_continued_by_the_runbook_of_an_upgrade(cluster: LocalCluster, sre: dict[str, str]) -> None:
    """Its commands run pgBackRest in PostgreSQL's task, where nothing is to be changed, and start a backup (R9.1)."""
    verified = "SELECT count(*) FROM backup_runs WHERE verified_at IS NOT NULL"
    before = execute(cluster, verified)
    follow("upgrade-postgresql", "Continue the archive", environment=sre)

    wait_until(lambda: execute(cluster, verified) > before, timeout_seconds=BACKED_UP_SECONDS)


def test_files_of_documents_come_back_while_the_service_goes_on(cluster: LocalCluster, sre: dict[str, str]) -> None:
    """The runbook of a lost object store uses the keys of the stack. Existing files do not change (R9.4)."""
    output = follow("restore-everything", "Only the object store", environment=sre)

    assert "Files of documents that may still be read: " in output
