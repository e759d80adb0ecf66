"""Each process has the privileges for its work in the stores, and no others (R8.1, decision 16).

Every test that starts a real process shows that the privileges suffice: it uses the process's own names and passwords
(`tests/support/identities.py`), and a missing right fails it. This module tests what each process cannot do.
"""

import io
import subprocess
from collections.abc import Callable, Iterable, Mapping

import minio
import psycopg
import pytest
import redis
from psycopg import errors
from redis.exceptions import NoPermissionError, ResponseError

from tests.support.servers import Database, migrate_now
from upschedule.operations.embedded.executables import postgres_bin
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.embedded.valkey import Valkey
from upschedule.operations.privileges.identities import PROCESSES, Process
from upschedule.operations.privileges.objects import ACTIONS, PROBE
from upschedule.operations.privileges.tables import TABLES

#: Columns whose contents would give a stranger access to an account.
SECRET_COLUMNS = {
    "accounts": ("email", "password_hash"),
    "sign_ups": ("email", "password_hash"),
    "password_resets": ("token_hash", "account_id"),
    "mails": ("id", "email"),
    "devices": ("id_hash",),
    "sessions": ("account_id",),
}
_READING_TABLE = "SELECT * FROM {table} LIMIT 1"


def refused(dsn: str, statement: str) -> bool:
    with psycopg.connect(dsn) as conn:
        try:
            conn.execute(statement.encode())
        except errors.InsufficientPrivilege:
            return True
        finally:
            conn.rollback()
    return False


def test_every_table_says_what_each_process_may_do_with_it(database: Database) -> None:
    """No process may use a table that a migration adds and the declaration does not name."""
    with psycopg.connect(database.owner_dsn) as conn:
        tables = {name for (name,) in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert tables == TABLES.keys()


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_has_no_privilege_but_those_declared(database: Database, process: Process) -> None:
    """Privileges are compared by table. A privilege on columns is not one on the table."""
    dsn = database.process_dsns[process]
    with psycopg.connect(dsn) as conn:
        for table, declared in _present(conn).items():
            whole = declared.get(process, "").replace(" ", "")
            for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"):
                row = conn.execute("SELECT has_table_privilege(%s, %s)", [table, privilege]).fetchone()
                expected = any(part == privilege for part in _privileges(whole))
                assert row == (expected,), (process, table, privilege)
    for statement in (
        "CREATE TABLE mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "DROP TABLE jobs",
        "SET ROLE upschedule_owner",
    ):
        assert refused(dsn, statement), statement


def _present(conn: psycopg.Connection) -> dict[str, Mapping[Process, str]]:
    """The declared tables that the migrations of this release have created."""
    rows = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {name: TABLES[name] for (name,) in rows}


def _privileges(declared: str) -> Iterable[str]:
    """The parts between commas that are not in parentheses."""
    depth, part = 0, ""
    for letter in declared:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            yield part
            part = ""
        else:
            part += letter
    yield part


@pytest.mark.parametrize("process", ["worker", "scheduler"])
def test_workers_and_schedulers_read_no_credential_and_delete_no_account(database: Database, process: Process) -> None:
    """An attacker who controls a worker would look for these first."""
    dsn = database.process_dsns[process]
    for table, columns in SECRET_COLUMNS.items():
        for column in columns:
            assert refused(dsn, f"SELECT {column} FROM {table}"), (table, column)
            assert refused(dsn, f"UPDATE {table} SET {column} = NULL"), (table, column)
    for statement in (
        "DELETE FROM accounts",
        "INSERT INTO accounts DEFAULT VALUES",
        "DELETE FROM jobs",
        "UPDATE jobs SET account_id = gen_random_uuid()",
        "INSERT INTO jobs (id) VALUES (gen_random_uuid())",
        "DELETE FROM calendars",
        "UPDATE calendars SET token_hash = ''",
        "UPDATE academic_years SET confirmed = true",
    ):
        assert refused(dsn, statement), statement


def test_a_worker_sees_no_calendar_and_a_scheduler_changes_no_result(database: Database) -> None:
    """Each process has only the privileges for its own part."""
    for table in ("calendars", "calendar_jobs", "calendar_entries", "calendar_feeds", "academic_years", "dead_letters"):
        assert refused(database.process_dsns["worker"], _READING_TABLE.format(table=table)), table
    for statement in ("INSERT INTO events SELECT * FROM events", "DELETE FROM events", "UPDATE jobs SET sha256 = ''"):
        assert refused(database.process_dsns["scheduler"], statement), statement


def test_the_api_changes_no_result_and_reads_no_dead_letter(database: Database) -> None:
    """Only workers write results. Dead letters contain tracebacks for operators."""
    for statement in ("DELETE FROM events", "UPDATE events SET body = '{}'", "SELECT * FROM dead_letters"):
        assert refused(database.process_dsns["api"], statement), statement


def test_a_new_table_is_open_to_the_backup_and_to_no_process(database: Database) -> None:
    """This holds before and after the grants are updated.

    A privilege that was granted by hand to a process is revoked.
    """
    with psycopg.connect(database.owner_dsn) as conn:
        conn.execute("CREATE TABLE later (id int)")
        conn.execute("GRANT SELECT (password_hash) ON accounts TO upschedule_worker")
    for _ in range(2):
        assert all(refused(dsn, "SELECT * FROM later") for dsn in database.process_dsns.values())
        assert not refused(database.backup_dsn, "SELECT * FROM later")
        migrate_now(database.owner_dsn)
    assert refused(database.process_dsns["worker"], "SELECT password_hash FROM accounts")


def test_the_backup_role_dumps_everything_and_changes_nothing(database: Database) -> None:
    """The test uses the real pg_dump. The role may only write the records of its own runs."""
    dump = subprocess.run(
        [postgres_bin() / "pg_dump", "--dbname", database.backup_dsn], capture_output=True, text=True, check=False
    )
    assert dump.returncode == 0, dump.stderr
    with psycopg.connect(database.owner_dsn) as conn:
        tables = _present(conn)
    assert {table for table in tables if f"COPY public.{table} " in dump.stdout} == tables.keys()
    for table in tables:
        assert refused(database.backup_dsn, f"DELETE FROM {table}"), table
    with psycopg.connect(database.backup_dsn) as conn:
        writable = {
            (table, privilege)
            for table in tables
            for privilege in ("INSERT", "UPDATE", "TRUNCATE")
            if conn.execute("SELECT has_table_privilege(%s, %s)", [table, privilege]).fetchone() == (True,)
        }
    own = ("backup_runs", "restore_drills")
    assert writable == {(table, privilege) for table in own for privilege in ("INSERT", "UPDATE")}
    assert refused(database.backup_dsn, "CREATE TABLE mine (id int)")


def test_the_owner_is_no_superuser(database: Database) -> None:
    """Migrations change tables of this database, but nothing else on the server."""
    for statement in (
        "CREATE ROLE more",
        "ALTER ROLE postgres CONNECTION LIMIT 1",
        "SELECT pg_read_file('/etc/passwd')",
    ):
        assert refused(database.owner_dsn, statement), statement


# Commands with which one process could harm the others, or read their data.
_NEVER = (
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG GET *",
    "KEYS *",
    "SCAN 0",
    "ACL LIST",
    "CLIENT LIST",
    "MONITOR",
    "SHUTDOWN",
    "SAVE",
    "REPLICAOF NO ONE",
    "FUNCTION LIST",
    "SCRIPT FLUSH",
    "SWAPDB 0 1",
    "RANDOMKEY",
    "INFO",
)
_STATE: dict[Process, tuple[str, ...]] = {
    "api": ("SET other x", "GET job:1", "DEL other", "PUBLISH elsewhere x"),
    "worker": (
        "GET session:1",
        "SET session:1 x",
        "DEL session:1",
        "GET session-cache:1",
        "GET sign-in:client:1",
        "DEL limit:1",
        "XTRIM jobs MAXLEN 0",
        "DEL jobs",
        "EVAL return(1) 0",
    ),
    "scheduler": (
        "GET session:1",
        "SET session:1 x",
        "SET session-cache:1 x",
        "DEL session-cache:1",
        "LRANGE limit:1 0 1",
        "DEL jobs",
        "SET jobs x",
        "GET session-cache:1",
        "XREADGROUP GROUP workers a STREAMS jobs >",
    ),
}
_CACHE: dict[Process, tuple[str, ...]] = {
    "api": ("SET other x", "GET session:1", "DEL job:1", "PUBLISH elsewhere x", "SUBSCRIBE elsewhere"),
    "worker": ("SET other x", "DEL job:1", "SUBSCRIBE job-notices", "PUBLISH elsewhere x"),
    "scheduler": ("SET other x", "DEL job:1", "SUBSCRIBE job-notices", "PUBLISH elsewhere x"),
}


@pytest.mark.parametrize("process", PROCESSES)
def test_redis_refuses_commands_and_keys_of_others(
    valkey_state_server: Valkey, valkey_cache_server: Valkey, process: Process
) -> None:
    """Commands are refused by category and keys by pattern, on both servers."""
    for server, forbidden in ((valkey_state_server, _STATE), (valkey_cache_server, _CACHE)):
        with redis.Redis.from_url(server.process_url(process)) as client:
            assert client.ping()
            for command in (*_NEVER, *forbidden[process]):
                with pytest.raises(NoPermissionError):
                    client.execute_command(*command.split())


def test_a_script_gets_no_further_than_its_user(valkey_state_server: Valkey) -> None:
    """The API may run scripts, which are limited to its keys."""
    with redis.Redis.from_url(valkey_state_server.process_url("api")) as client:
        assert client.eval("return redis.call('EXISTS', KEYS[1])", 1, "session:1") == 0
        with pytest.raises(ResponseError, match=r"(?i)permission|ACL"):
            client.eval("return redis.call('GET', KEYS[1])", 1, "other")
        with pytest.raises(ResponseError, match=r"(?i)permission|ACL"):
            client.eval("return redis.call('FLUSHALL')", 0)


@pytest.mark.parametrize("process", PROCESSES)
def test_each_key_of_the_object_store_does_what_its_process_does(seaweedfs_server: SeaweedFS, process: Process) -> None:
    """It works in its own bucket, and in no other."""
    admin = seaweedfs_server.admin_client()
    bucket, other = f"test-{process}", f"other-{process}"
    for name in (bucket, other):
        admin.make_bucket(bucket_name=name)
        _put(admin, name, "held")
    address = seaweedfs_server.process_address(process, bucket)
    client = minio.Minio(
        endpoint=address.endpoint, access_key=address.access_key, secret_key=address.secret_key, secure=False,
        region=address.region,
    )  # fmt: skip
    try:
        assert _allowed(lambda: _get(client, bucket, PROBE))
        allowed = {
            "Read": _allowed(lambda: _get(client, bucket, "held")),
            "List": _allowed(lambda: list(client.list_objects(bucket_name=bucket))),
            "Write": _allowed(lambda: _put(client, bucket, "new")),
        }
        assert {action for action, done in allowed.items() if done} == set(ACTIONS[process])
        assert _allowed(lambda: client.remove_object(bucket_name=bucket, object_name="held")) == allowed["Write"]
        for attempt in (
            lambda: _get(client, other, "held"),
            lambda: _put(client, other, "new"),
            lambda: list(client.list_objects(bucket_name=other)),
            lambda: client.remove_bucket(bucket_name=bucket),
            lambda: client.make_bucket(bucket_name=f"mine-{process}"),
            lambda: client.remove_object(bucket_name=other, object_name="held"),
        ):
            assert not _allowed(attempt)
    finally:
        for name in (bucket, other):
            for item in admin.list_objects(bucket_name=name, recursive=True):
                admin.remove_object(bucket_name=name, object_name=str(item.object_name))
            admin.remove_bucket(bucket_name=name)


def _put(client: minio.Minio, bucket: str, key: str) -> None:
    client.put_object(bucket_name=bucket, object_name=key, data=io.BytesIO(b"x"), length=1)


def _get(client: minio.Minio, bucket: str, key: str) -> None:
    client.get_object(bucket_name=bucket, object_name=key).close()


def _allowed(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except minio.S3Error as error:
        if error.code not in {"AccessDenied", "NoSuchKey"}:
            raise
        return error.code == "NoSuchKey"
    return True
