"""The migration runner on real databases."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.servers import MIGRATIONS, Database
from upschedule.operations.embedded.postgres import APPLICATION_ROLE
from upschedule.operations.migration.blocking import watching
from upschedule.operations.migration.errors import (
    ContractedByNewerRelease,
    LockAttemptsExhausted,
    MigrationBlocksTooLong,
    MigrationFailed,
    MigrationFilesInvalid,
    MigrationHistoryChanged,
    MigrationInProgress,
    MigrationUnwatched,
)
from upschedule.operations.migration.files import read_migrations
from upschedule.operations.migration.migrate import MigrationPolicy, MigrationReport, Timing, migrate

SMALL = {
    "0001_expand_people.sql": "CREATE TABLE people (id int PRIMARY KEY, name text);",
    "0002_expand_index.sql": (
        "-- no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS people_name;\n-- next statement\n"
        "CREATE INDEX CONCURRENTLY people_name ON people (name);"
    ),
}


_END_THE_WATCH = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE query LIKE '%FROM pg_locks held%' AND pid <> pg_backend_pid()
"""

_MANY_JOBS = """
    WITH one AS (INSERT INTO accounts DEFAULT VALUES RETURNING id)
    INSERT INTO jobs (id, account_id, sha256, file_name, size_bytes, object_key, stored_at)
    SELECT gen_random_uuid(), one.id, decode(md5(number::text), 'hex'), 'a.pdf', 10, number::text, now()
    FROM one, generate_series(1, 20000) AS number
"""


def _write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def _run(database: Database, directory: Path, policy: MigrationPolicy | None = None, **given: Any) -> MigrationReport:
    return migrate(
        database.owner_dsn,
        read_migrations(directory),
        application_role=APPLICATION_ROLE,
        policy=policy or MigrationPolicy(),
        timing=Timing(**given),
    )


def _until_asleep(database: Database, migrating: "Future[MigrationReport]") -> None:
    """Waits until the first statements of the migration have ended."""
    while not _rows(database.owner_dsn, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
        assert not migrating.done()


def _rows(dsn: str, query: str) -> Sequence[tuple[object, ...]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(query.encode()).fetchall()


def test_the_real_migrations_apply_once_and_a_second_run_changes_nothing(empty_database: Database) -> None:
    """R12.1 requires it."""
    first = _run(empty_database, MIGRATIONS)
    history = _rows(empty_database.dsn, "SELECT * FROM schema_migrations")
    second = _run(empty_database, MIGRATIONS)
    assert first.applied == [path.name for path in sorted(MIGRATIONS.glob("*.sql"))]
    assert (second.applied, second.present) == ([], first.applied)
    assert _rows(empty_database.dsn, "SELECT * FROM schema_migrations") == history


def test_the_few_rows_with_a_mark_are_found_by_their_index_at_once(empty_database: Database) -> None:
    """The leading scheduler queries these rows every few seconds, long before PostgreSQL analyses the table."""
    # The test does not use `migrate`, which grants rights to columns of all migrations.
    with psycopg.connect(empty_database.owner_dsn, autocommit=True) as conn:
        for migration in read_migrations(MIGRATIONS):
            if migration.name == "0010_expand_provisional_readings.sql":
                conn.execute(_MANY_JOBS)
            for statement in migration.statements:
                conn.execute(statement.encode())
    plan = _rows(empty_database.owner_dsn, "EXPLAIN SELECT id FROM jobs WHERE provisional_release IS NOT NULL")
    assert "jobs_provisional_idx" in str(plan)


def test_three_releases_that_start_at_once_migrate_once(empty_database: Database, tmp_path: Path) -> None:
    """One of them may be building an index concurrently, which waits for every other snapshot."""
    directory = _write(tmp_path, SMALL)
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: _run(empty_database, directory), range(3)))
    assert sorted(list(report.applied) for report in reports) == [[], [], list(SMALL)]
    assert _rows(empty_database.owner_dsn, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'people_name'::regclass")


def test_a_changed_file_is_refused(empty_database: Database, tmp_path: Path) -> None:
    """The runner stores the checksum of each migration that ran."""
    directory = _write(tmp_path, SMALL)
    _run(empty_database, directory)
    _write(tmp_path, {"0001_expand_people.sql": "CREATE TABLE people (id bigint PRIMARY KEY, name text);"})
    with pytest.raises(MigrationHistoryChanged, match=r"0001_expand_people\.sql was changed"):
        _run(empty_database, directory)


def test_a_missing_file_is_refused(empty_database: Database, tmp_path: Path) -> None:
    """Another file with this number does not hide it."""
    _run(empty_database, _write(tmp_path, SMALL))
    (tmp_path / "0001_expand_people.sql").rename(tmp_path / "0001_expand_persons.sql")
    with pytest.raises(MigrationHistoryChanged, match=r"0001_expand_people\.sql is missing"):
        _run(empty_database, tmp_path)


def test_a_failing_file_leaves_nothing_half_done(empty_database: Database, tmp_path: Path) -> None:
    """Earlier migrations stay, and the corrected file is applied."""
    broken = "CREATE TABLE half (id int); SELECT 1 / 0;"
    _write(tmp_path, {**SMALL, "0003_expand_half.sql": broken})
    with pytest.raises(MigrationFailed, match="division by zero"):
        _run(empty_database, tmp_path)
    assert _rows(empty_database.owner_dsn, "SELECT max(number), to_regclass('half') FROM schema_migrations") == [
        (2, None)
    ]
    _write(tmp_path, {"0003_expand_half.sql": "CREATE TABLE half (id int);"})
    assert _run(empty_database, tmp_path).applied == ["0003_expand_half.sql"]


def test_a_table_in_use_is_tried_again_without_holding_up_its_readers(empty_database: Database, tmp_path: Path) -> None:
    """The lock timeout ends the wait, the pause lets other transactions pass, and a later attempt succeeds."""
    _run(empty_database, _write(tmp_path, SMALL))
    _write(tmp_path, {"0003_expand_email.sql": "ALTER TABLE people ADD COLUMN email text;"})
    policy = MigrationPolicy(lock_timeout_seconds=0.1)
    with psycopg.connect(empty_database.owner_dsn) as reader:
        reader.execute("SELECT * FROM people")
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                reader.rollback()

        assert _run(empty_database, tmp_path, policy, pause=pause, roll=lambda: 1.0).applied == [
            "0003_expand_email.sql"
        ]
    assert pauses == [2.0, 4.0]


def test_a_table_that_stays_in_use_ends_the_run(empty_database: Database, tmp_path: Path) -> None:
    """The number of retries is limited."""
    _run(empty_database, _write(tmp_path, SMALL))
    _write(tmp_path, {"0003_expand_email.sql": "ALTER TABLE people ADD COLUMN email text;"})
    policy = MigrationPolicy(lock_timeout_seconds=0.05, lock_attempts=3, retry_seconds_max=0.01)
    with psycopg.connect(empty_database.owner_dsn) as reader:
        reader.execute("SELECT * FROM people")
        with pytest.raises(LockAttemptsExhausted, match="3 attempts"):
            _run(empty_database, tmp_path, policy)


@pytest.mark.parametrize(
    ("blocking", "blocked"),
    [
        ("LOCK TABLE people;", "SELECT * FROM people"),
        ("CREATE INDEX people_name_too ON people (name);", "DELETE FROM people"),
        ("UPDATE people SET name = 'other';", "UPDATE people SET name = 'another'"),
    ],
    ids=["table", "writes", "rows"],
)
def test_a_migration_that_blocks_others_for_too_long_is_cancelled_while_it_runs(
    empty_database: Database, tmp_path: Path, blocking: str, blocked: str
) -> None:
    """Each of its statements is short. Blocked transactions continue after the limit (R3.5, R12.2)."""
    _run(empty_database, _write(tmp_path, SMALL))
    _rows(empty_database.owner_dsn, "INSERT INTO people VALUES (1, 'one') RETURNING id")
    _write(tmp_path, {"0003_expand_slow.sql": f"{blocking} {'SELECT pg_sleep(0.2); ' * 300}"})
    policy = MigrationPolicy(blocking_seconds_max=1.0)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(empty_database.owner_dsn, autocommit=True) as waiting:
        migrating = pool.submit(_run, empty_database, tmp_path, policy)
        _until_asleep(empty_database, migrating)
        waiting.execute(blocked.encode())
        with pytest.raises(MigrationBlocksTooLong, match=r"0003_expand_slow\.sql blocked people for \d+\.\d s"):
            migrating.result()
    left = "SELECT max(number), to_regclass('people_name_too') FROM schema_migrations"
    assert _rows(empty_database.owner_dsn, left) == [(2, None)]


def test_a_migration_that_blocks_no_transaction_has_no_time_limit(empty_database: Database, tmp_path: Path) -> None:
    """No other transaction uses a table that it has just created, and building an index concurrently blocks none."""
    _run(empty_database, _write(tmp_path, SMALL))
    build = SMALL["0002_expand_index.sql"].replace("people_name", "people_name_too")
    slow = "CREATE TABLE later (id int); SELECT pg_sleep(0.5); SELECT * FROM people; SELECT pg_sleep(0.5);"
    _write(tmp_path, {"0003_expand_later.sql": slow, "0004_expand_index.sql": build})
    policy = MigrationPolicy(blocking_seconds_max=0.1)
    assert _run(empty_database, tmp_path, policy).applied == ["0003_expand_later.sql", "0004_expand_index.sql"]


def test_maintenance_may_wait_for_a_migration(empty_database: Database, tmp_path: Path) -> None:
    """A vacuum, for example, waits for an index that is built concurrently."""
    _run(empty_database, _write(tmp_path, SMALL))
    lock = "LOCK TABLE people IN SHARE UPDATE EXCLUSIVE MODE"
    _write(tmp_path, {"0003_expand_long.sql": f"{lock}; {'SELECT pg_sleep(0.2); ' * 8}"})
    with ThreadPoolExecutor(1) as pool, psycopg.connect(empty_database.owner_dsn) as maintenance:
        migrating = pool.submit(_run, empty_database, tmp_path, MigrationPolicy(blocking_seconds_max=0.3))
        _until_asleep(empty_database, migrating)
        maintenance.execute(lock)
        assert migrating.result().applied == ["0003_expand_long.sql"]


def test_a_migration_whose_locks_cannot_be_watched_is_cancelled(empty_database: Database, tmp_path: Path) -> None:
    """Otherwise the runner would not notice which transactions it blocks."""
    _run(empty_database, _write(tmp_path, SMALL))
    _write(tmp_path, {"0003_expand_slow.sql": "LOCK TABLE people; SELECT pg_sleep(60);"})
    with ThreadPoolExecutor(1) as pool:
        migrating = pool.submit(_run, empty_database, tmp_path, MigrationPolicy(blocking_seconds_max=50))
        _until_asleep(empty_database, migrating)
        while not _rows(empty_database.owner_dsn, _END_THE_WATCH):
            assert not migrating.done()
        with pytest.raises(MigrationUnwatched, match=r"0003_expand_slow\.sql was cancelled"):
            migrating.result()


def test_each_statement_is_cancelled_once_locks_cannot_be_watched(empty_database: Database) -> None:
    """A cancellation between two statements of a migration has no effect, and the next statement may run for long."""
    with psycopg.connect(empty_database.owner_dsn, autocommit=True) as conn:
        with watching(empty_database.owner_dsn, conn, seconds_max=50, clock=time.monotonic) as watch:
            while not _rows(empty_database.owner_dsn, _END_THE_WATCH):
                assert watch.failure is None
            for _ in range(3):
                with pytest.raises(psycopg.errors.QueryCanceled):
                    conn.execute("SELECT pg_sleep(10)")
        assert watch.failure is not None


def test_waiting_for_another_release_ends(empty_database: Database, tmp_path: Path) -> None:
    """The runner polls for the lock and gives up at its deadline."""
    directory = _write(tmp_path, SMALL)
    _write(tmp_path, {"0003_expand_wait.sql": "SELECT pg_sleep(2);"})
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(_run, empty_database, directory)
        while not _rows(empty_database.owner_dsn, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"):
            assert not working.done()
        with pytest.raises(MigrationInProgress):
            _run(empty_database, directory, MigrationPolicy(turn_timeout_seconds=0.2))
        assert working.result().applied


def test_an_older_release_works_with_an_expanded_schema_but_not_a_contracted_one(
    empty_database: Database, tmp_path: Path
) -> None:
    """A rollback of the code never restores a dump (R12.3)."""
    newer, older = tmp_path / "newer", tmp_path / "older"
    for directory in (newer, older):
        directory.mkdir()
        _write(directory, SMALL)
    _write(newer, {"0003_expand_email.sql": "ALTER TABLE people ADD COLUMN email text;"})
    _run(empty_database, newer)
    assert _run(empty_database, older).ahead == ["0003_expand_email.sql"]
    _write(newer, {"0004_contract_name.sql": "ALTER TABLE people DROP COLUMN name;"})
    _run(empty_database, newer)
    with pytest.raises(ContractedByNewerRelease, match="0004_contract_name"):
        _run(empty_database, older)


def test_the_application_role_gets_rows_of_new_tables(empty_database: Database, tmp_path: Path) -> None:
    """Grants follow each run, and the history stays read-only."""
    _run(empty_database, _write(tmp_path, SMALL))
    grants = _rows(
        empty_database.dsn,
        "SELECT has_table_privilege('people', 'INSERT, UPDATE, DELETE'), has_schema_privilege('public', 'CREATE'),"
        " has_table_privilege('schema_migrations', 'INSERT')",
    )
    assert grants == [(True, False, False)]


@pytest.mark.parametrize(
    ("name", "why"),
    [("0003_add_x.sql", "is not named"), ("0004_expand_x.sql", "0003"), ("0002_expand_other.sql", "0003")],
)
def test_a_wrong_name_or_number_is_refused_before_anything_runs(tmp_path: Path, name: str, why: str) -> None:
    """Numbers are 1, 2, 3 and so on. A name contains expand or contract."""
    _write(tmp_path, {**SMALL, name: "SELECT 1;"})
    with pytest.raises(MigrationFilesInvalid, match=why):
        read_migrations(tmp_path)


def test_the_command_reports_as_json_and_by_exit_code(empty_database: Database, tmp_path: Path) -> None:
    """Exit code 0 means done, 3 unreachable, and 4 refused."""

    def command(url: str, directory: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "upschedule", "migrate", "--json", "--directory", directory],
            env={**os.environ, "UPSCHEDULE_POSTGRES_OWNER_URL": url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = command(empty_database.owner_dsn, MIGRATIONS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["applied"] == [path.name for path in sorted(MIGRATIONS.glob("*.sql"))]
    unreachable = command("postgresql://nobody:wrong@127.0.0.1:1/none", MIGRATIONS)
    assert (unreachable.returncode, unreachable.stdout) == (3, "")
    refused = command(empty_database.owner_dsn, _write(tmp_path, SMALL))
    assert refused.returncode == 4
    assert "is missing" in refused.stderr
