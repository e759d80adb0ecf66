"""`upschedule restore --to` creates PostgreSQL's data from its backups, completely or not at all (R9.3).

It takes some minutes.
"""

import io
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cluster.tooling.backup_site import BUCKET, running_site
from tests.support.cluster.tooling.restoring import RestoreSite
from upschedule.operations.cluster_backup.model import Record

pytestmark = pytest.mark.timeout(400)
PEOPLE = "SELECT email FROM accounts WHERE email IS NOT NULL ORDER BY email"


@pytest.fixture(scope="module")
def running() -> Iterator[RestoreSite]:
    with running_site() as site:
        yield RestoreSite(site)


@pytest.fixture(scope="module")
def record(running: RestoreSite) -> Record:
    running.account("first")
    return running.site.backups.back_up()


@pytest.fixture
def site(running: RestoreSite, record: Record) -> Iterator[RestoreSite]:
    """A site with a backup. Afterwards the server runs, and the data from before a restore are removed."""
    yield running
    shutil.rmtree(running.data.with_name("data.before-restore"), ignore_errors=True)
    if not running.site.postgres.running:
        running.site.postgres.start(timeout_seconds=120)


@contextmanager
def unchanged(site: RestoreSite) -> Iterator[None]:
    """Stops the server for the block and checks that its data are unchanged, with no files beside them.

    Then it runs again.
    """
    people = site.rows(PEOPLE)
    site.site.postgres.stop()
    yield
    beside = {each.name for each in site.data.parent.glob("data*")}
    site.site.postgres.start(timeout_seconds=120)
    assert (beside, site.rows(PEOPLE)) == ({"data"}, people)


def test_a_destroyed_server_comes_back_to_the_newest_second(site: RestoreSite, record: Record) -> None:
    """Everything that was archived is restored.

    The server then continues to archive, and the next backup counts (R9.3).
    """
    site.account("after-the-backup")
    site.archive_all()
    before = {table: site.rows(f"TABLE {table}") for table in ("accounts", "sessions", "jobs", "academic_years")}
    site.site.postgres.kill()
    shutil.rmtree(site.data)
    done = site.restored("--to", "latest")
    assert done.code == 0, done.said
    site.site.postgres.start(timeout_seconds=120)

    assert {table: site.rows(f"TABLE {table}") for table in before} == before
    assert f"from the backup {record.backup.label}" in done.output
    assert "Recovering the write-ahead log" in done.said
    site.account("after-the-restore")
    assert site.site.backups.back_up().verified


def test_what_people_deleted_since_stays_deleted(site: RestoreSite) -> None:
    """This includes ended sessions and withdrawn links.

    Data that a migration destroyed are restored (R9.4, decision 42).
    """
    stays, leaves = site.account("stays"), site.account("leaves")
    remaining, document = site.document(stays, "kept.pdf"), site.document(stays, "deleted.pdf")
    site.document(leaves, "of-the-account.pdf")
    calendar, ended = site.calendar(stays, "link"), site.calendar(stays, "another")
    site.session(stays, "ended")
    site.session(stays, "open")
    moment = site.moment()

    site.write("DELETE FROM accounts WHERE id = %s", leaves)
    site.write("DELETE FROM jobs WHERE id = %s", document)
    site.write("DELETE FROM calendars WHERE id = %s", ended)
    site.write("UPDATE sessions SET ended_at = now() WHERE id_hash = 'ended'")
    site.write("UPDATE calendars SET token_hash = 'new', token_generation = 2 WHERE id = %s", calendar)
    site.write("DELETE FROM jobs WHERE id = %s", remaining, process="owner")
    site.account("made-later")
    site.archive_all()
    site.site.postgres.stop()
    done = site.restored("--to", moment, "--replace")
    assert done.code == 0, done.said
    site.site.postgres.start(timeout_seconds=120)

    known = {email for (email,) in site.rows(PEOPLE)}
    assert "stays@tuks.example" in known
    assert not known & {"leaves@tuks.example", "made-later@tuks.example"}
    assert site.rows(f"SELECT id FROM jobs WHERE account_id = '{stays}'") == [(remaining,)]
    assert site.rows(f"SELECT stored_bytes FROM accounts WHERE id = '{stays}'") == [(1000,)]
    calendars = "SELECT id, token_hash, token_generation FROM calendars"
    assert site.rows(f"{calendars} WHERE account_id = '{stays}'") == [(calendar, b"new", 2)]
    assert site.rows("SELECT id_hash, ended_at IS NOT NULL FROM sessions ORDER BY id_hash") == [
        (b"ended", True),
        (b"open", False),
    ]
    assert "1 accounts, 2 documents, 1 calendars, 0 shared pages, 1 sessions and 1 feed links" in done.output
    assert site.data.with_name("data.before-restore").exists()
    # Another restore to the same moment finds the deletions in the new timeline as well.
    assert {kind for (kind,) in site.rows("SELECT kind FROM deletions")} >= {"accounts", "jobs", "calendars"}


def test_what_was_deleted_comes_back_where_that_is_wanted(site: RestoreSite) -> None:
    """An operator chooses this, for example, after a fault of the application that deleted too much."""
    account = site.account("deleted-by-a-fault")
    moment = site.moment()
    site.write("DELETE FROM accounts WHERE id = %s", account)
    site.archive_all()
    site.site.postgres.stop()
    done = site.restored("--to", moment, "--replace", "--revive-deleted")
    assert done.code == 0, done.said
    site.site.postgres.start(timeout_seconds=120)

    assert ("deleted-by-a-fault@tuks.example",) in site.rows(PEOPLE)


def test_a_live_system_is_not_overwritten(site: RestoreSite) -> None:
    """Refused are a running server, data without `--replace`, and data beside those of an earlier restore."""
    running = site.restored("--to", "latest", "--replace")
    with unchanged(site):
        unsaid = site.restored("--to", "latest")
    before = site.data.with_name("data.before-restore")
    before.mkdir()
    site.site.postgres.stop()
    earlier = site.restored("--to", "latest", "--replace")

    assert (running.code, unsaid.code, earlier.code) == (5, 5, 5)
    assert "Stop it first: `nomad job stop -namespace upschedule postgres`. Nothing was changed." in running.said
    assert "To replace it, use --replace" in unsaid.said
    assert "Nothing was changed." in unsaid.said
    assert "has the data from before an earlier restore" in earlier.said


def test_a_moment_that_cannot_be_reached_is_refused_in_words(site: RestoreSite) -> None:
    """The moment has a wrong form, names no backup, is before all backups, or is after all changes."""
    with unchanged(site):
        results = {
            moment: site.restored("--to", moment, "--replace")
            for moment in ("yesterday", "20200101-000000F", "2020-01-01", "2099-01-01")
        }
    assert [each.code for each in results.values()] == [4, 4, 4, 3]
    reasons = [
        "yesterday is no moment to restore to",
        "There is no backup 20200101-000000F",
        "No backup had ended before 2020-01-01: the oldest ended at 20",
        "If --to is later than the last change that was archived, use `latest`.",
    ]
    assert [reason in each.said for reason, each in zip(reasons, results.values(), strict=True)] == [True] * 4, results


@pytest.mark.parametrize("stage", ["Restoring from", "Recovering the write-ahead log", "Checking every row"])
def test_a_restore_that_is_killed_has_changed_nothing(site: RestoreSite, stage: str) -> None:
    """Its remains neither block the next restore nor are used as data."""
    people = site.rows(PEOPLE)
    site.site.postgres.stop()
    with site.started("--to", "latest", "--replace") as process:
        assert process.stderr
        printed = next((line for line in process.stderr if stage in line), "")
        os.killpg(process.pid, signal.SIGKILL)
    assert stage in printed
    site.site.postgres.start(timeout_seconds=120)
    assert site.rows(PEOPLE) == people
    site.site.postgres.stop()
    done = site.restored("--to", "latest", "--replace")

    assert done.code == 0, done.said
    assert {each.name for each in site.data.parent.glob("data*")} == {"data", "data.before-restore"}


@pytest.mark.parametrize("fault", ["another key", "a full disk", "a store that is away", "a flipped bit"])
def test_a_fault_while_restoring_changes_nothing(site: RestoreSite, record: Record, fault: str) -> None:
    """The previous server still starts with its data, and the message says that nothing was changed."""
    with unchanged(site), broken_store(site, record, fault):
        done = site.restored(
            *("--to", record.backup.label, "--replace", "--program-seconds", "60"),
            file_bytes_max=100_000 if fault == "a full disk" else None,
            environment={"PGBACKREST_REPO1_CIPHER_PASS": "another"} if fault == "another key" else None,
        )
    assert done.code == 3, done.said
    assert done.said.endswith("Nothing was changed.\n")


@contextmanager
def broken_store(site: RestoreSite, record: Record, fault: str) -> Iterator[None]:
    store = site.site.store
    if fault == "a store that is away":
        store.kill()
        yield
        store.start()
        return
    if fault != "a flipped bit":
        yield
        return
    client = store.backup_client()
    keys = site.site.objects(f"backup/upschedule/{record.backup.label}/pg_data/base/")
    key = max(keys, key=lambda each: client.stat_object(bucket_name=BUCKET, object_name=each).size or 0)
    whole = client.get_object(bucket_name=BUCKET, object_name=key).read()
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 1
    client.put_object(bucket_name=BUCKET, object_name=key, data=io.BytesIO(bytes(broken)), length=len(broken))
    yield
    client.put_object(bucket_name=BUCKET, object_name=key, data=io.BytesIO(whole), length=len(whole))


def test_one_account_has_its_calendar_back_while_the_service_goes_on(site: RestoreSite, tmp_path: Path) -> None:
    """The calendar is restored as of a moment, by statements that an operator reads first. Nothing else changes."""
    account, other = site.account("one-account"), site.account("another-account")
    document, calendar = site.document(account, "plan.pdf"), site.calendar(account, "one-account")
    site.calendar(other, "another-account")
    body = '{"it\'s": [1]}'
    site.write("INSERT INTO events VALUES (%s, 1, %s)", document, body, process="owner")
    site.write("INSERT INTO calendar_jobs VALUES (%s, %s)", calendar, document)
    moment = site.moment()
    site.write("DELETE FROM calendars WHERE id = %s", calendar)
    site.write("DELETE FROM jobs WHERE id = %s", document)
    made_later = site.account("made-later-than-that")
    site.archive_all()
    file = tmp_path / "restored.sql"
    done = site.restored("--to", moment, "--account", "one-account@tuks.example", "--output", str(file))
    assert done.code == 0, done.said
    site.write(file.read_text(encoding="utf-8"), process="owner")

    assert site.rows(f"SELECT id, name FROM calendars WHERE account_id = '{account}'") == [(calendar, "My year")]
    assert site.rows(f"SELECT id, object_key FROM jobs WHERE account_id = '{account}'") == [(document, None)]
    assert site.rows(f"SELECT body FROM events WHERE job_id = '{document}'") == [({"it's": [1]},)]
    assert site.rows(f"SELECT job_id FROM calendar_jobs WHERE calendar_id = '{calendar}'") == [(document,)]
    assert site.rows(f"SELECT count(*) FROM accounts WHERE id = '{made_later}'") == [(1,)]
    assert "calendars: 1 rows then, 1 of them missing or changed now, 0 new or changed" in done.output
    assert "another-account" not in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600


def test_one_table_is_compared_with_what_it_was(site: RestoreSite, tmp_path: Path) -> None:
    """For example, the dates of a year were changed by mistake. A table that never existed is refused."""
    moment = site.moment()
    site.write("UPDATE academic_years SET source = 'changed'", process="owner")
    site.archive_all()
    words = ("--to", moment, "--output", str(tmp_path / "restored.sql"))
    table, missing = site.restored(*words, "--table", "academic_years"), site.restored(*words, "--table", "people")
    both = site.restored(*words, "--table", "jobs", "--account", "x")
    ((years,),) = site.rows("SELECT count(*) FROM academic_years")

    assert (table.code, missing.code, both.code) == (0, 4, 2), table.said
    assert f"{years} rows then, {years} of them missing or changed now, {years} new or changed" in table.output
    assert "There was no table people at " in missing.said
