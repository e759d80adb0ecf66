"""`upschedule restore file` restores a backup completely or not at all, without deleted data (R9.3, R9.4, R11.5)."""

import datetime as dt
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.support.machine import Machine, command, machine, rows, started_command, stores_in
from tests.support.processes.listing import processes_in
from tests.support.servers import MIGRATIONS, wait_until
from upschedule.operations.backup_file.context import BackupContext, BackupLimits
from upschedule.operations.backup_file.errors import ExitCode, NewerBackup, Refused
from upschedule.operations.backup_file.loading import read_manifest
from upschedule.operations.backup_file.manifest import AppliedName, Manifest
from upschedule.operations.backup_file.members import writing
from upschedule.operations.backup_file.restoring import RestoreOptions, restore_backup
from upschedule.operations.embedded.passwords import PasswordFile
from upschedule.operations.local.replacement import REPLACED
from upschedule.operations.migration.errors import MigrationHistoryChanged
from upschedule.operations.migration.files import read_migrations

pytestmark = pytest.mark.timeout(240)

_HOUR = dt.timedelta(hours=1)
_SUM = "SELECT status, count(*), count(object_key) FROM jobs GROUP BY status ORDER BY status"


@pytest.fixture
def options() -> RestoreOptions:
    return RestoreOptions(
        replace=False,
        deletions=None,
        migrations=read_migrations(MIGRATIONS),
        now=dt.datetime.now(tz=dt.UTC),
        keep_hours=24,
    )


@pytest.fixture(scope="module")
def source(scratch: Path) -> Iterator[Machine]:
    """A machine with the schema of the previous release."""
    with machine(scratch / "restore-source", migrations=read_migrations(MIGRATIONS)[:-1]) as running:
        yield running


@pytest.fixture
def context(source: Machine) -> BackupContext:
    return BackupContext(key=source.key, limits=BackupLimits(), report=lambda _: None)


@pytest.fixture(scope="module")
def file(source: Machine, scratch: Path) -> Path:
    """A backup with a document of each status, a calendar and a session."""
    for status in ("queued", "processing", "failed", "completed"):
        source.add_document(status)
    source.add_calendar(b"link")
    source.add_session()
    source.change(
        "INSERT INTO dead_letters (job_id, attempt, code, detail, traceback) SELECT id, 1, 'a', 'b', 'c' FROM jobs"
    )
    return source.back_up(scratch / "restore-source.backup")


def test_an_empty_machine_gets_everything_and_files_past_their_time_stay_away(
    source: Machine, file: Path, context: BackupContext, options: RestoreOptions, scratch: Path
) -> None:
    """The schema is older, and a day has passed.

    Rows, links, sessions, secrets, quota and sequences are restored (R8.2, R11.5).
    """
    data = scratch / "restored-empty"
    restore_backup(data, file, replace(options, now=options.now + 25 * _HOUR), context)
    newest = read_migrations(MIGRATIONS)[-1]
    tables = ("accounts", "calendars", "sessions", "dead_letters", "academic_years")

    with stores_in(data) as (postgres, bucket):
        dsn = postgres.owner_dsn()
        assert rows(dsn, _SUM) == [("completed", 1, 0), ("failed", 1, 0), ("processing", 1, 1), ("queued", 1, 1)]
        for key, sha256 in rows(dsn, "SELECT object_key, encode(sha256, 'hex') FROM jobs WHERE object_key IS NOT NULL"):
            assert bucket.read_sha256(key) == sha256
        stored = (
            "SELECT (SELECT sum(size_bytes) FROM jobs WHERE object_key IS NOT NULL), sum(stored_bytes) FROM accounts"
        )
        assert len(set(rows(dsn, stored)[0])) == 1
        for table in tables:
            # The newest migration may have added columns.
            columns = "SELECT string_agg(quote_ident(column_name), ',') FROM information_schema.columns WHERE "
            ((names,),) = source.rows(f"{columns} table_schema = 'public' AND table_name = '{table}'")
            everything = f"SELECT ROW({names})::text FROM {table} ORDER BY 1"
            if table != "accounts":
                assert rows(dsn, everything) == source.rows(everything), table
        assert rows(dsn, "SELECT id, email, password_hash FROM accounts") == source.rows(
            "SELECT id, email, password_hash FROM accounts"
        )
        assert rows(dsn, "SELECT max(number) FROM schema_migrations") == [(newest.number,)]
        highest = source.rows("SELECT max(id) FROM dead_letters")[0][0]
        assert rows(dsn, "SELECT nextval('dead_letters_id_seq') > %s", [highest]) == [(True,)]
        # The process's own role works as before.
        assert rows(postgres.process_dsn("api"), "SELECT count(*) FROM jobs") == [(4,)]
    secrets = [PasswordFile(folder / "passwords.json").get("feed") for folder in (data, source.data)]
    assert secrets[0] == secrets[1]
    assert not (data / REPLACED).exists()


def test_what_was_deleted_since_is_not_brought_back_by_accident(
    scratch: Path, tmp_path: Path, options: RestoreOptions
) -> None:
    """The command asks first.

    Deleted documents, ended sessions and replaced feed links are then not restored, nor are their files.
    """
    data, file = scratch / "restored-over", tmp_path / "x.backup"
    with machine(data) as running:
        deleted, kept = running.add_document("failed"), running.add_document("queued")
        ended, valid = running.add_session(), running.add_session()
        gone, renewed = running.add_calendar(b"gone"), running.add_calendar(b"old link")
        running.back_up(file)
        running.change("DELETE FROM jobs WHERE id = %s", [deleted])
        running.change("UPDATE accounts SET stored_bytes = 8000")
        running.change("DELETE FROM calendars WHERE id = %s", [gone])
        running.change("UPDATE sessions SET ended_at = now() WHERE id_hash = %s", [ended])
        running.change("UPDATE calendars SET token_hash = 'new link', token_generation = 2 WHERE id = %s", [renewed])
        late = running.add_document("queued")
        context = BackupContext(key=running.key, limits=BackupLimits(), report=lambda _: None)
    replacing = replace(options, replace=True)

    with pytest.raises(Refused, match="0 accounts, 1 documents and 1 calendars of the backup have been deleted"):
        restore_backup(data, file, replacing, context)
    with stores_in(data) as (postgres, _):
        assert rows(postgres.owner_dsn(), "SELECT count(*) FROM jobs WHERE id = ANY (%s)", [[kept, late]]) == [(2,)]
    restore_backup(data, file, replace(replacing, deletions="keep-deleted"), context)
    with stores_in(data) as (postgres, bucket):
        dsn = postgres.owner_dsn()
        assert rows(dsn, "SELECT id FROM jobs") == [(kept,)]
        assert rows(dsn, "SELECT stored_bytes FROM accounts") == [(8000,)]
        assert rows(dsn, "SELECT id_hash FROM sessions WHERE ended_at IS NULL") == [(valid,)]
        assert rows(dsn, "SELECT id, token_hash FROM calendars") == [(renewed, b"new link")]
        account = running.account
        assert bucket.stored_sha256(f"uploads/{account}/{deleted}.pdf") is None
        assert bucket.stored_sha256(f"uploads/{account}/{kept}.pdf") is not None
    with pytest.raises(Refused, match="has the data from before an earlier restore"):
        restore_backup(data, file, replacing, context)


def _claiming(target: Path, context: BackupContext, manifest: Manifest) -> Path:
    with target.open("wb") as opened, writing(opened, context.key) as members:
        members.add("secrets.json", b"{}")
        members.add_manifest(manifest)
    return target


def test_another_schema_is_refused_before_anything_is_made(
    file: Path, context: BackupContext, options: RestoreOptions, scratch: Path, tmp_path: Path
) -> None:
    """The backup is of a newer release, or its migrations are not those of this project."""
    manifest, data = read_manifest(file, context), scratch / "restored-never"
    names = tuple(AppliedName(each.number, each.name, each.checksum) for each in options.migrations)
    newer = AppliedName(len(names) + 1, f"{len(names) + 1:04}_expand_later.sql", "x")
    strange = AppliedName(1, names[0].name, "another")
    cases = [
        ((*names, newer), NewerBackup, "which this release does not know"),
        ((strange, *names[1:]), MigrationHistoryChanged, "was changed"),
    ]
    for migrations, error, words in cases:
        other = _claiming(tmp_path / "x", context, msgspec.structs.replace(manifest, migrations=migrations))
        with pytest.raises(error, match=words):
            restore_backup(data, other, options, context)
    assert [path.name for path in data.iterdir()] == ["lock"]


def test_a_running_service_and_data_that_are_there_are_not_replaced(source: Machine, file: Path, scratch: Path) -> None:
    """It is refused without --replace, while `make run` uses the data, and when the present database is damaged."""
    broken = scratch / "restored-broken"
    (broken / "postgres" / "data").mkdir(parents=True)
    (broken / "postgres" / "data" / "PG_VERSION").write_text("18\n")
    cases = [
        (source.data, ("--replace",), "is in use by a running `make run`"),
        (broken, (), "Say --replace"),
        (broken, ("--replace",), "With --revive-deleted all of the backup is restored"),
    ]
    for data, more, words in cases:
        done = command("restore", "file", file, "--data", data, "--key-file", source.key_file, *more)
        assert (done.returncode, words in done.stderr) == (ExitCode.REFUSED, True), done.stderr
        assert done.stderr.endswith("Nothing was changed.\n")
    assert (broken / "postgres" / "data" / "PG_VERSION").read_text() == "18\n"


def test_a_disk_without_room_leaves_nothing_behind(source: Machine, file: Path, scratch: Path) -> None:
    """The file system has 30 MB, which a new PostgreSQL fills."""
    data = scratch / "restored-small"
    data.mkdir(mode=0o755)
    rights = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    mount = 'mount -t tmpfs -o size=30000000,mode=755 tmpfs "$1" && "${@:2}"; code=$?; ls -A "$1" >&2; exit $code'
    within = ["unshare", "--mount", *rights, "bash", "-c", mount, "bash", data]
    done = command("restore", "file", file, "--data", data, "--key-file", source.key_file, within=within)

    assert done.returncode == ExitCode.NO_SPACE, done.stderr
    assert done.stderr.endswith("Nothing was changed.\nlock\n"), done.stderr


def test_a_killed_restore_has_restored_nothing_or_everything(source: Machine, file: Path, scratch: Path) -> None:
    """Before the decision the folder is unchanged. After it, the next command completes the exchange."""
    data = scratch / "restored-killed"
    words = ("restore", "file", file, "--data", data, "--key-file", source.key_file)
    for stage in ("Starting new stores", "Migrating"):
        _kill_at(stage, words)
        wait_until(lambda: processes_in(data) == {})
        assert sorted(path.name for path in data.iterdir()) == ["lock", "restore-draft"]
    _kill_at("Putting the restored data in place", words)
    verified = command("backup", "file", scratch / "again.backup", "--data", data, "--key-file", source.key_file)
    assert verified.returncode == ExitCode.DONE, verified.stderr
    assert not {"restore-draft", "restored", REPLACED} & {path.name for path in data.iterdir()}
    with stores_in(data) as (postgres, _):
        assert rows(postgres.owner_dsn(), "SELECT count(*) FROM jobs") == [(4,)]


def _kill_at(stage: str, words: tuple[str | Path, ...]) -> None:
    with started_command(*words) as process:
        assert process.stderr
        assert any(stage in line for line in process.stderr), stage
        process.send_signal(signal.SIGKILL)
