"""The runbook of a major upgrade of PostgreSQL, followed with Debian's version and with the one of `make run` (R9.3).

pgBackRest of Debian 12 refuses versions after 15. So the archive is tested with a new server of the same version, which
pgBackRest refuses in the same way until it knows the server.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.tooling.backup_site import BackupSite, running_site
from tests.support.cluster.tooling.restoring import RestoreSite
from tests.support.cluster.whole.runbooks import follow
from tests.support.servers import DEBIAN_POSTGRES, migrate_now, scratch_directory, started
from upschedule.operations.cluster_backup.errors import StepFailed
from upschedule.operations.embedded.executables import postgres_bin
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.subprocesses import connection_environment
from upschedule.operations.table_sums import TableSum, read_sums

pytestmark = pytest.mark.timeout(400)
ACCOUNTS = "INSERT INTO accounts (stored_bytes) SELECT 1 FROM generate_series(1, 20000)"
PEOPLE = "SELECT email FROM accounts WHERE email IS NOT NULL ORDER BY id"
OLD, NEW = "15", "new"


@dataclass(frozen=True)
class Volume:
    """The volume of the job `postgres`, of which the folders are named by versions."""

    folder: Path
    user: str
    programs: Path

    def put(self, data: Path) -> None:
        """Moves a stopped server's data into the volume, with checksums as those of the job."""
        shutil.move(data, self.folder / OLD)
        self.run(DEBIAN_POSTGRES / "pg_checksums", "--enable", "-D", self.folder / OLD)

    def run(self, *command: str | Path) -> None:
        subprocess.run(["runuser", "-u", self.user, "--", *command], check=True, capture_output=True, timeout=120)

    def upgrade(self) -> str:
        variables = {
            "VOLUME": str(self.folder),
            "DATABASE_USER": self.user,
            "OLD": OLD,
            "NEW": NEW,
            "OLD_PROGRAMS": str(DEBIAN_POSTGRES),
            "NEW_PROGRAMS": str(self.programs),
        }
        return follow("upgrade-postgresql", "Upgrade the files", environment=variables)


@pytest.fixture
def scratch() -> Iterator[Path]:
    with scratch_directory() as folder:
        yield folder


def volume_for(data: Path, folder: Path, programs: Path) -> Volume:
    """An empty volume that belongs to the user of the server."""
    folder.mkdir(mode=0o750)
    shutil.chown(folder, data.owner(), data.group())
    return Volume(folder, data.owner(), programs)


def copied_programs(folder: Path) -> Path:
    """The programs of `make run`, and the libraries beside their package, where the server's user can reach them."""
    package = postgres_bin().parents[1]
    for source in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, folder / source.name)
    return folder / postgres_bin().relative_to(package.parent)


def sums(server: Postgres) -> dict[str, TableSum]:
    with psycopg.connect(server.owner_dsn()) as connection:
        return read_sums(connection)


def test_the_newer_version_runs_with_all_rows_roles_and_passwords(scratch: Path, figure: Figure) -> None:
    """The application's roles sign in and write. The old folder is unchanged, so that the old version runs again."""
    programs = copied_programs(scratch)
    old = Postgres(scratch / "old", binaries=DEBIAN_POSTGRES)
    with started(old):
        migrate_now(old.owner_dsn())
        with psycopg.connect(old.owner_dsn()) as connection:
            connection.execute(ACCOUNTS)
        # As the job does. `pg_upgrade` refuses what the new version does not have.
        with psycopg.connect(old.superuser_dsn()) as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")
        before = sums(old)
    volume = volume_for(old.directory / "data", scratch / "volume", programs)
    volume.put(old.directory / "data")
    began = time.monotonic()
    output = volume.upgrade()
    figure("seconds of the commands that upgrade the files", time.monotonic() - began)

    assert "Upgrade Complete" in output
    new = Postgres(scratch / "upgraded", binaries=programs)
    shutil.copyfile(old.directory / "passwords.json", new.directory / "passwords.json")
    shutil.move(volume.folder / NEW, new.directory / "data")
    with started(new):
        environment = {"DATABASE": new.owner_dsn(), "PATH": os.pathsep.join([str(programs), os.environ["PATH"]])}
        major = follow("upgrade-postgresql", "Is it over?", environment=environment).partition(".")[0]
        assert sums(new) == before
        with psycopg.connect(new.process_dsn("api")) as connection:
            connection.execute("INSERT INTO accounts (stored_bytes) VALUES (1)")
        assert sums(new)["accounts"].rows == before["accounts"].rows + 1
        migrate_now(new.owner_dsn())
        folder = new.directory / "data"
        size_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        figure("MB of upgraded files", size_bytes / 1e6)
    assert int(major) > int(OLD)
    assert {each.name for each in volume.folder.iterdir()} == {OLD}

    shutil.move(volume.folder / OLD, old.directory / "data")
    with started(old):
        assert sums(old) == before


def test_files_of_a_server_that_was_killed_are_refused(scratch: Path) -> None:
    """No folder of the new version appears."""
    old = Postgres(scratch / "old", binaries=DEBIAN_POSTGRES)
    with started(old):
        old.kill()
    volume = volume_for(old.directory / "data", scratch / "volume", DEBIAN_POSTGRES)
    shutil.move(old.directory / "data", volume.folder / OLD)

    with pytest.raises(AssertionError):
        volume.upgrade()
    (volume.folder / OLD / "postmaster.pid").unlink()
    with pytest.raises(AssertionError, match="source cluster was not shut down cleanly"):
        volume.upgrade()
    assert not (volume.folder / NEW).exists()


def upgrade_stanza(site: BackupSite) -> None:
    """Run the command of the runbook, with a connection by password."""
    own = connection_environment(site.postgres.superuser_dsn())
    port, user = own.pop("PGPORT"), own.pop("PGUSER")
    subprocess.run(
        ["pgbackrest", "--no-config", "stanza-upgrade", f"--pg1-port={port}", f"--pg1-user={user}"],
        env={**os.environ, **site.postgres.variables, **own},
        check=True,
        timeout=60,
    )


def test_the_archive_goes_on_with_the_new_server_and_back(scratch: Path) -> None:
    """Until pgBackRest knows the new server, no backup is made. Moments before the upgrade can still be restored."""
    with running_site() as site:
        restoring = RestoreSite(site)
        restoring.account("before-the-upgrade")
        first = site.backups.back_up()
        moment = restoring.moment()
        restoring.archive_all()
        site.postgres.stop()
        data = site.postgres.directory / "data"
        volume = volume_for(data, scratch / "volume", DEBIAN_POSTGRES)
        volume.put(data)
        volume.upgrade()
        shutil.move(volume.folder / NEW, data)
        site.postgres.start(timeout_seconds=120)
        restoring.account("after-the-upgrade")
        with pytest.raises(StepFailed, match="stanza-upgrade"):
            site.backups.back_up()
        upgrade_stanza(site)
        second = site.backups.back_up()
        restoring.account("after-the-new-backup")
        restoring.archive_all()
        site.postgres.stop()
        latest = restoring.restored("--to", "latest", "--replace")
        assert latest.code == 0, latest.said
        site.postgres.start(timeout_seconds=120)

        assert second.verified
        assert [email for (email,) in restoring.rows(PEOPLE)] == [
            "before-the-upgrade@tuks.example",
            "after-the-upgrade@tuks.example",
            "after-the-new-backup@tuks.example",
        ]
        site.postgres.stop()
        shutil.move(data, scratch / "restored")
        shutil.move(volume.folder / OLD, data)
        site.postgres.start(timeout_seconds=120)
        upgrade_stanza(site)
        assert site.backups.back_up().verified
        shutil.rmtree(data.with_name("data.before-restore"))
        site.postgres.stop()
        earlier = restoring.restored("--to", moment, "--replace", "--revive-deleted")
        assert earlier.code == 0, earlier.said
        assert f"from the backup {first.backup.label}" in earlier.output
        site.postgres.start(timeout_seconds=120)
        assert restoring.rows(PEOPLE) == [("before-the-upgrade@tuks.example",)]
