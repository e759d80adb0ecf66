"""`upschedule prepare`, which runs before the first instance of a release starts."""

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec import structs
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from tests.support.releases.unpacked import NEXT, REAL, Preparation, make_release
from tests.support.servers import Database, fresh_database
from upschedule.operations.embedded.executables import postgres_bin
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.stores.bucket import BucketAddress

PEOPLE = ("expand", "CREATE TABLE people (id int PRIMARY KEY, name text);")
SHORTER = ("contract", "ALTER TABLE people DROP COLUMN name;")


@pytest.fixture
def empty_database(postgres_server: Postgres) -> Iterator[Database]:
    with fresh_database(postgres_server) as database:
        yield database


@pytest.fixture
def preparation(
    empty_database: Database, object_store: BucketAddress, seaweedfs_server: SeaweedFS
) -> Iterator[Preparation]:
    yield Preparation(database=empty_database, store=object_store)
    client = seaweedfs_server.admin_client()
    for item in client.list_objects(bucket_name=object_store.bucket, recursive=True):
        client.remove_object(bucket_name=object_store.bucket, object_name=str(item.object_name))


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def test_the_first_release_brings_an_empty_database_up_and_is_marked(preparation: Preparation, tmp_path: Path) -> None:
    """A second call has nothing to do (R12.1)."""
    release = make_release(tmp_path / "one", "1")
    first, second = preparation.run(release), preparation.run(release)

    assert (first.code, second.code) == (0, 0), first.said
    assert first.events["release_prepared"]["applied"] == list(REAL)
    assert (second.events["release_prepared"]["applied"], second.events["release_prepared"]["backup"]) == ([], None)
    marks = rows(preparation.database.dsn, "SELECT version, migrations, backup FROM releases")
    assert marks == [("1", len(REAL), first.events["backup_made"]["backup"])]


def test_only_the_owner_marks(preparation: Preparation, tmp_path: Path) -> None:
    """The application can only read the marks (R8.1)."""
    preparation.run(make_release(tmp_path / "one", "1"))
    with psycopg.connect(preparation.database.dsn) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("UPDATE releases SET version = '2'")


def test_the_backup_restores_the_database_as_it_was_before(
    preparation: Preparation, seaweedfs_server: SeaweedFS, postgres_server: Postgres, tmp_path: Path
) -> None:
    """The backup is restored into another database. The store keeps its checksum (R12.5)."""
    preparation.run(make_release(tmp_path / "one", "1", PEOPLE))
    with psycopg.connect(preparation.database.owner_dsn) as connection:
        connection.execute("INSERT INTO people VALUES (1, 'Thandi')")
    done = preparation.run(make_release(tmp_path / "two", "2+abc", PEOPLE, ("expand", "DELETE FROM people;")))
    key = done.events["backup_made"]["backup"]

    assert key.endswith("-2-abc.dump")
    client, file, bucket = seaweedfs_server.admin_client(), tmp_path / "dump", preparation.store.bucket
    client.fget_object(bucket_name=bucket, object_name=key, file_path=str(file))
    metadata = client.stat_object(bucket_name=bucket, object_name=key).metadata or {}
    assert metadata["x-amz-meta-sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    with fresh_database(postgres_server) as other:
        restore = [postgres_bin() / "pg_restore", f"--dbname={other.owner_dsn}", "--exit-on-error", file]
        subprocess.run(restore, check=True, timeout=60)
        assert rows(other.owner_dsn, "SELECT id, name FROM people") == [(1, "Thandi")]
        assert rows(other.owner_dsn, "SELECT max(number) FROM schema_migrations") == [(NEXT,)]


def test_ten_instances_that_start_at_once_prepare_once(preparation: Preparation, tmp_path: Path) -> None:
    """One works under the lock, and the others find it done (R12.1)."""
    release = make_release(tmp_path / "one", "1")
    processes = [preparation.started(release) for _ in range(10)]
    outputs = [process.communicate(timeout=100)[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * 10
    assert sum("backup_made" in output for output in outputs) == 1


@pytest.mark.parametrize("broken", ["no programs", "no bucket", "no database", "migration"])
def test_a_failure_changes_nothing_and_says_so_in_words(
    preparation: Preparation, seaweedfs_server: SeaweedFS, tmp_path: Path, broken: str
) -> None:
    """The message names the step and the reason, and says that the running release is unchanged (R12.4)."""
    preparation.run(make_release(tmp_path / "one", "1"))
    release = make_release(tmp_path / "two", "2", ("expand", "SELECT 1 / 0;" if broken == "migration" else "SELECT 1;"))
    database, store = preparation.database, preparation.store
    without_bucket = replace(preparation, store=structs.replace(store, bucket="test-none"))
    cases = {
        "no programs": (replace(preparation, programs=tmp_path), 5, "failed in pg_dump: No such file"),
        "no bucket": (without_bucket, 5, "failed in the object store"),
        "no database": (
            replace(preparation, database=replace(database, owner_dsn="postgresql://u@127.0.0.1:1/d")),
            3,
            "The database cannot be reached",
        ),
        "migration": (preparation, 4, f"{NEXT:04}_expand_x.sql failed: division by zero"),
    }
    settings, code, reason = cases[broken]
    failed = settings.run(release)

    assert failed.code == code, failed.said
    assert reason in failed.said
    assert failed.said.startswith("The release was not prepared. ")
    assert failed.said.endswith("Nothing runs differently.\n")
    assert reason in failed.events["release_not_prepared"]["reason"]
    assert rows(database.dsn, "SELECT version FROM releases") == [("1",)]
    assert rows(database.dsn, "SELECT max(number) FROM schema_migrations") == [(len(REAL),)]


def test_pg_dump_reads_no_password_from_its_arguments(preparation: Preparation, tmp_path: Path) -> None:
    """All users of the machine can see the arguments (R11.2)."""
    arguments = tmp_path / "seen"
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (programs / name).write_text(f'#!/bin/sh\necho "$@" >> {arguments}\nexec {postgres_bin() / name} "$@"\n')
        (programs / name).chmod(0o755)
    assert replace(preparation, programs=programs).run(make_release(tmp_path / "one", "1")).code == 0

    assert "--format=custom" in arguments.read_text()
    assert str(conninfo_to_dict(preparation.database.owner_dsn)["password"]) not in arguments.read_text()


def test_a_contraction_waits_for_the_release_after_the_one_that_brought_it(
    preparation: Preparation, tmp_path: Path
) -> None:
    """The running release keeps every column that it may use (R12.2)."""
    running = tmp_path / "running"
    preparation.run(make_release(tmp_path / "one", "1", PEOPLE))
    running.write_text("1\n1\n")
    second = preparation.run(make_release(tmp_path / "two", "2", PEOPLE, SHORTER), "--running", str(running))

    contraction = f"{NEXT + 1:04}_contract_x.sql"
    assert second.events["release_prepared"]["held"] == [contraction]
    assert second.events["contract_held"]["migration"] == contraction
    assert rows(preparation.database.owner_dsn, "SELECT name FROM people") == []

    running.write_text("2\n1\n")
    both = preparation.run(make_release(tmp_path / "three", "3", PEOPLE, SHORTER), "--running", str(running))
    assert both.events["release_prepared"]["held"] == [contraction]

    running.write_text("2\n3\n")
    fourth = preparation.run(make_release(tmp_path / "four", "4", PEOPLE, SHORTER), "--running", str(running))
    assert fourth.events["release_prepared"]["applied"] == [contraction]


def test_a_release_from_before_a_contraction_starts_no_more(preparation: Preparation, tmp_path: Path) -> None:
    """Neither its API nor its workers start, although it was prepared before (R12.3)."""
    running = tmp_path / "running"
    first = make_release(tmp_path / "one", "1", PEOPLE)
    preparation.run(first)
    preparation.run(make_release(tmp_path / "two", "2", PEOPLE, SHORTER))
    running.write_text("2")
    preparation.run(make_release(tmp_path / "three", "3", PEOPLE, SHORTER), "--running", str(running))

    for options in ((), ("--wait", "5")):
        refused = preparation.run(first, *options)
        assert refused.code == 4
        assert "contracted by" in refused.said
    assert preparation.run(tmp_path / "two").code == 0


def test_a_release_that_needs_what_follows_a_contraction_is_refused_before_anything_happens(
    preparation: Preparation, tmp_path: Path
) -> None:
    """Not even a backup is made."""
    preparation.run(make_release(tmp_path / "one", "1", PEOPLE))
    more = ("expand", "ALTER TABLE people ADD COLUMN name int;")
    refused = preparation.run(make_release(tmp_path / "two", "2", PEOPLE, SHORTER, more))

    assert refused.code == 4
    assert "first release a commit that ends with the contraction" in refused.said
    assert "backup_made" not in refused.events


def test_a_migration_that_blocks_for_too_long_ends_the_preparation(preparation: Preparation, tmp_path: Path) -> None:
    """The message names the migration, the table and the seconds (R12.1, R12.3)."""
    preparation.run(make_release(tmp_path / "one", "1"))
    slow = ("expand", f"ALTER TABLE jobs ADD COLUMN more int; {'SELECT pg_sleep(1); ' * 60}")
    failed = preparation.run(make_release(tmp_path / "two", "2", slow), "--blocking-seconds", "0.5")

    assert failed.code == 4
    assert f"{NEXT:04}_expand_x.sql blocked jobs for " in failed.said
    assert "it was cancelled, and all of it was rolled back" in failed.said
    assert rows(preparation.database.dsn, "SELECT version FROM releases") == [("1",)]
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'jobs' AND column_name = 'more'"
    assert rows(preparation.database.owner_dsn, columns) == [(0,)]


def test_waiting_ends_with_the_mark(preparation: Preparation, tmp_path: Path) -> None:
    """Workers start at the same time as the API and need only the application's role.

    The database is empty at first.
    """
    release = make_release(tmp_path / "one", "1")
    with preparation.started(release, "--wait", "60", UPSCHEDULE_POSTGRES_OWNER_URL="") as waiting:
        assert preparation.run(release).code == 0
        output, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert "release_is_prepared" in output


def test_waiting_for_a_release_that_is_not_prepared_ends(preparation: Preparation, tmp_path: Path) -> None:
    """The message has the reason."""
    preparation.run(make_release(tmp_path / "one", "1"))
    failed = preparation.run(make_release(tmp_path / "two", "2"), "--wait", "0.2")
    assert failed.code == 6
    assert "Release 2 was not prepared within 0 s (there is no mark)" in failed.said


def test_a_work_tree_is_no_release(preparation: Preparation, tmp_path: Path) -> None:
    """The version of the release is unknown."""
    refused = preparation.run(tmp_path)
    assert refused.code == 4
    assert "holds no file RELEASE" in refused.said
