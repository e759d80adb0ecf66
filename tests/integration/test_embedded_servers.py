"""The embedded servers are real, keep their data, and run without root rights."""

from collections.abc import Callable
from pathlib import Path

import minio
import psycopg
import pytest
import redis
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from tests.support.servers import wait_until
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.embedded.valkey import CACHE, STATE, Valkey, ValkeyUse
from upschedule.stores.bucket import BucketAddress


def test_the_application_role_reads_and_writes_rows_but_changes_no_table(postgres_dsn: str) -> None:
    """R8.1 requires least privilege."""
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute("INSERT INTO accounts DEFAULT VALUES")
        assert conn.execute("SELECT count(*) FROM accounts").fetchone() == (1,)
        for statement in ("DROP TABLE accounts", "CREATE TABLE mine (id int)", "DELETE FROM schema_migrations"):
            with pytest.raises(errors.InsufficientPrivilege):
                conn.execute(statement)


def test_each_test_gets_an_empty_database(postgres_dsn: str, postgres_owner_dsn: str) -> None:
    """Rows of earlier tests are gone."""
    with psycopg.connect(postgres_owner_dsn) as conn:
        assert conn.execute("SELECT count(*) FROM accounts").fetchone() == (0,)
        assert conn.info.dbname == conninfo_to_dict(postgres_dsn)["dbname"]


def test_postgres_keeps_committed_rows_over_kill_and_restart(private_postgres: Callable[..., Postgres]) -> None:
    """The same port serves the same rows again after SIGKILL and after a clean stop."""
    server = private_postgres()
    with psycopg.connect(server.owner_dsn(), autocommit=True) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 7 AS value")
    for end in (server.kill, server.stop):
        end()
        assert not server.running
        server.start()
        with psycopg.connect(server.owner_dsn()) as conn:
            assert conn.execute("SELECT value FROM kept").fetchone() == (7,)


def test_the_state_redis_keeps_its_keys_over_a_restart(private_valkey: Callable[[ValkeyUse], Valkey]) -> None:
    """The queue is in an append-only file (R4.4), and nothing is evicted."""
    server = private_valkey(STATE)
    with redis.Redis.from_url(server.url) as client:
        client.xadd("queue", {"job": "1"})
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    server.stop()
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.xlen("queue") == 1


def test_the_cache_redis_evicts_the_least_recently_used_at_two_gigabytes(
    private_valkey: Callable[[ValkeyUse], Valkey],
) -> None:
    """R4.3 requires it. The test observes the eviction with a limit that is small enough to reach."""
    with redis.Redis.from_url(private_valkey(CACHE).url) as client:
        limits = client.config_get("maxmemory", "maxmemory-policy")
        assert limits == {"maxmemory": str(2 * 1024**3), "maxmemory-policy": "allkeys-lru"}
        first, second = ([str(number) for number in numbers] for numbers in (range(100), range(100, 200)))
        for number in (*first, *second):
            client.set(number, bytes(10_000))
        wait_until(lambda: min(client.object("idletime", number) for number in first) >= 2)
        client.mget(*second)
        client.config_set("maxmemory", client.info("memory")["used_memory"])
        for number in range(200, 250):
            client.set(str(number), bytes(10_000))
        assert client.info("stats")["evicted_keys"] >= 50
        assert client.exists(*second) > client.exists(*first) + 25


def test_redis_refuses_a_client_without_its_password(valkey_state_server: Valkey) -> None:
    """Passwords are random and required (R8.2)."""
    with redis.Redis(port=valkey_state_server.port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_the_application_key_reaches_its_own_bucket_only(
    object_store: BucketAddress, seaweedfs_server: SeaweedFS
) -> None:
    """The key has least privilege in the object store."""
    client = minio.Minio(
        endpoint=object_store.endpoint,
        access_key=object_store.access_key,
        secret_key=object_store.secret_key,
        secure=False,
    )
    path = Path(__file__)
    client.fput_object(bucket_name=object_store.bucket, object_name="a/b", file_path=str(path))
    with client.get_object(bucket_name=object_store.bucket, object_name="a/b") as answer:
        assert answer.read() == path.read_bytes()
    assert [entry.object_name for entry in client.list_objects(bucket_name=object_store.bucket, recursive=True)] == [
        "a/b"
    ]
    with pytest.raises(minio.S3Error, match="Access Denied"):
        client.remove_bucket(bucket_name=object_store.bucket)
    with pytest.raises(minio.S3Error, match="Access Denied"):
        client.stat_object(bucket_name=seaweedfs_server.address().bucket, object_name=".ready")


def test_objects_survive_a_kill(private_seaweedfs: Callable[[], SeaweedFS]) -> None:
    """An object is stored once the store has answered."""
    server = private_seaweedfs()
    server.kill()
    server.start()
    stored = server.admin_client().stat_object(bucket_name=server.address().bucket, object_name=".ready")
    assert stored.size == 5


def test_servers_run_without_root_rights(
    postgres_server: Postgres, valkey_state_server: Valkey, seaweedfs_server: SeaweedFS
) -> None:
    """The processes have no capability, whichever user started the tests (R8.1)."""
    for server in (postgres_server, valkey_state_server, seaweedfs_server):
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in status
        assert server.identity.value != "nobody" or Path(f"/proc/{server.pid}").stat().st_uid == 65534


def test_passwords_are_private_and_stay(scratch: Path, private_postgres: Callable[..., Postgres]) -> None:
    """The file has mode 0600, and the passwords are the same after a restart (R8.2)."""
    server = private_postgres()
    before = server.owner_dsn()
    again = Postgres(server.directory, port=server.port)
    assert again.owner_dsn() == before
    assert (server.directory / "passwords.json").stat().st_mode & 0o777 == 0o600
