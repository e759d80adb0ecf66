"""The cluster of `make cluster` is healthy, has no unnecessary rights, and refuses strangers (R8.1, R8.2, R11.1)."""

import contextlib
import io
import os
import signal
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis
from minio import Minio
from minio.error import S3Error
from redis.exceptions import NoPermissionError

from tests.support.cluster.whole.cluster import (
    allocations,
    application_url,
    consul_with,
    database_url,
    delete_settings,
    derived,
    is_permitted,
    object_store,
    owner_url,
    shared_url,
    tasks_of,
)
from tests.support.servers import wait_until
from tools.local_cluster.agent_cleanup import processes_of, processes_with_files_below
from tools.local_cluster.cluster import NAMESPACE, LocalCluster
from tools.local_cluster.users import UIDS
from tools.local_cluster.volumes import VOLUMES
from upschedule.operations.privileges.identities import PROCESSES, role_of
from upschedule.stores.database import Database, PoolOptions

STORES = {"postgres", "pgbouncer", "redis-state", "redis-cache", "object-store", "backup-store"}
SETTING = "upschedule/settings/limits/uploads_per_hour"
IDENTITIES = {
    "upschedule": ("objectStoreApplicationSecretKey", "uploads"),
    "release": ("objectStoreReleaseSecretKey", "releases"),
    "backup": ("objectStoreBackupSecretKey", "backups"),
}
# The test that destroys and starts everything needs the time of both.
pytestmark = pytest.mark.timeout(600)


def test_every_service_passes_its_checks(cluster: LocalCluster) -> None:
    """Consul's checks decide (R10.4)."""
    wanted = cluster.health.wanted()
    assert {*STORES, "traefik"} <= set(wanted)
    assert cluster.health.missing() == []


def test_each_task_runs_as_a_user_of_its_own_and_none_as_root(cluster: LocalCluster) -> None:
    """The test looks at the processes of the machine, which has no accounts of these users (R11.1)."""
    found: dict[str, set[int]] = {}
    for job, _, process in tasks_of(cluster):
        found.setdefault(job, set()).add(process.stat().st_uid)

    assert {job: found[job] for job in STORES} == {job: {UIDS[job]} for job in STORES}
    assert len(set(UIDS.values())) == len(UIDS)
    assert not [job for job, users in found.items() if 0 in users]


def test_a_volume_is_readable_by_its_task_only(cluster: LocalCluster) -> None:
    """The exception is PostgreSQL's: its group includes the user of the backups, who can only read it (R11.1)."""
    for name in VOLUMES:
        held = (cluster.plan.data / "volumes" / name).stat()
        mode = 0o750 if name == "postgres" else 0o700
        assert (held.st_uid, held.st_gid, stat.S_IMODE(held.st_mode)) == (UIDS[name], UIDS[name], mode)


def test_secrets_are_in_no_list_of_processes_and_in_private_files_only(cluster: LocalCluster) -> None:
    """R8.2 requires it."""
    secrets = [secret.encode() for secret in known_secrets(cluster)]
    shown = list(command_lines())
    assert any(b"/usr/bin/valkey-server" in line for line in shown)
    assert not [line for line in shown if any(secret in line for secret in secrets)]
    patterns = ("nomad/data/alloc/*/alloc/logs/*", "*/*.log")
    logs = [path for pattern in patterns for path in cluster.plan.data.glob(pattern) if path.is_file()]
    assert len(logs) > len(STORES)
    assert not [log for log in logs if any(secret in log.read_bytes() for secret in secrets)]
    for name in ("credentials.json", "env", "pulumi/passphrase", "consul/consul.json", "nomad/nomad.json"):
        assert stat.S_IMODE((cluster.plan.data / name).stat().st_mode) == 0o600, name


def known_secrets(cluster: LocalCluster) -> list[str]:
    names = ("postgresOwnerPassword", "postgresApplicationPassword", "redisStatePassword", "pulumi-passphrase")
    tokens = ("consul-management", "consul-nomad", "consul-traefik", "consul-monitoring", "nomad-management")
    return [*map(cluster.credentials.password, names), *map(cluster.credentials.token, tokens)]


def command_lines() -> Iterator[bytes]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # The process has ended in the meantime.
            yield file.read_bytes()


def test_consul_shows_nothing_to_who_has_no_token(cluster: LocalCluster) -> None:
    """Consul denies by default (R8.1)."""
    client = consul_with(cluster, "")
    assert client.catalog.services()[1] == {}
    assert not is_permitted(lambda: client.kv.get(SETTING))
    assert not is_permitted(lambda: client.kv.put(SETTING, "1"))


@pytest.mark.parametrize(
    ("token", "sees_services", "reads_settings"),
    [
        ("traefik", True, False),
        ("deploy", True, False),
        ("application", False, True),
        ("monitoring", False, False),
        ("nomad", True, True),
        ("operator", True, True),
    ],
)
def test_each_token_of_consul_sees_what_its_holder_needs(
    cluster: LocalCluster, token: str, *, sees_services: bool, reads_settings: bool
) -> None:
    """No token of a service changes a setting or reads an access rule (R8.1)."""
    assert consul_with(cluster, "operator").kv.put(SETTING, "10")
    client = consul_with(cluster, token)
    assert bool(client.catalog.services()[1]) == sees_services
    assert is_permitted(lambda: client.kv.get(SETTING)) == reads_settings
    assert is_permitted(lambda: client.kv.put(f"{SETTING}.test", "1")) == (token == "operator")
    assert not is_permitted(lambda: client.kv.put("other", "1"))
    assert not is_permitted(client.acl.token.list)
    delete_settings(cluster)


def test_postgresql_lets_in_who_has_the_right_password_over_tls_only(cluster: LocalCluster) -> None:
    """This holds with and without PgBouncer. The superuser can connect only by the socket (R8.1)."""
    password = cluster.credentials.password("postgresApplicationPassword")
    for port in ("postgresPort", "pgbouncerPort"):
        for tls, word in (("verify-full", "wrong"), ("disable", password)):
            with pytest.raises(psycopg.OperationalError, match=r"authentication failed|no pg_hba.conf|SSL required"):
                psycopg.connect(database_url(cluster, "upschedule_app", word, port=port, tls=tls))
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba.conf entry"):
        psycopg.connect(database_url(cluster, "postgres", password, port="postgresPort"))
    owner = cluster.credentials.password("postgresOwnerPassword")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(database_url(cluster, "upschedule_owner", owner, port="pgbouncerPort"))


def test_the_owner_may_make_tables_and_the_application_may_not(cluster: LocalCluster) -> None:
    """The role of the application limits its statements, since PgBouncer passes on no options (R3.2)."""
    with psycopg.connect(owner_url(cluster), autocommit=True) as connection:
        connection.execute("CREATE TABLE of_a_test (word text)")
        connection.execute("DROP TABLE of_a_test")
    with psycopg.connect(application_url(cluster), autocommit=True) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("10s",)
        assert connection.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("20s",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE of_a_test (word text)")


def test_two_hundred_clients_share_fifty_to_a_hundred_connections(cluster: LocalCluster) -> None:
    """All clients are served (R3.1, R3.5)."""
    url = application_url(cluster)

    def work(_: int) -> int:
        with psycopg.connect(url, prepare_threshold=None) as connection:
            row = connection.execute("SELECT pg_backend_pid() FROM pg_sleep(0.3)").fetchone()
        assert row
        return row[0]

    with ThreadPoolExecutor(max_workers=200) as clients:
        servers = set(clients.map(work, range(400)))
    assert 50 <= len(servers) <= 100
    wait_until(lambda: connections_of_the_pool(cluster) >= 50, timeout_seconds=60)
    assert connections_of_the_pool(cluster) <= 100


def connections_of_the_pool(cluster: LocalCluster) -> int:
    with psycopg.connect(owner_url(cluster)) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = ANY(%s)",
            [[role_of(process) for process in PROCESSES]],
        ).fetchone()
    assert row
    return row[0]


def test_each_process_has_its_own_role_and_no_rights_of_the_others(cluster: LocalCluster) -> None:
    """The test connects through PgBouncer. Tests without a cluster check the rights of each role (decision 16)."""
    for process in PROCESSES:
        with psycopg.connect(application_url(cluster, process), autocommit=True, prepare_threshold=None) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (role_of(process),)
            assert connection.execute("SHOW statement_timeout").fetchone() == ("10s",)
            connection.execute("SELECT count(*) FROM jobs")
            if process != "api":
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute("SELECT password_hash FROM accounts")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute("DELETE FROM accounts")
    with psycopg.connect(shared_url(cluster), autocommit=True, prepare_threshold=None) as connection:
        connection.execute("SELECT count(*) FROM jobs")


def test_each_process_has_a_redis_user_and_a_key_of_the_object_store(cluster: LocalCluster) -> None:
    """Their rules are in `operations/privileges/` (decision 16)."""
    for name in ("redisState", "redisCache"):
        host, _, number = cluster.plan.address(f"{name}Port").partition(":")
        for process in PROCESSES:
            word = derived(cluster.credentials.password(f"{name}Password"), process)
            with redis.Redis(host=host, port=int(number), username=process, password=word) as client:
                assert client.ping()
                for command in ("FLUSHALL", "CONFIG GET *", "KEYS *", "ACL LIST"):
                    with pytest.raises(NoPermissionError):
                        client.execute_command(*command.split())
    object_store(cluster, "upschedule", "objectStoreApplicationSecretKey").put_object(
        bucket_name="uploads", object_name="of-a-process", data=io.BytesIO(b"word"), length=4
    )
    secret = cluster.credentials.password("objectStoreApplicationSecretKey")
    for process in PROCESSES:
        client = Minio(
            endpoint=cluster.plan.address("objectStorePort"),
            access_key=f"upschedule-{process}",
            secret_key=derived(secret, process),
            secure=False,
            region="us-east-1",
        )
        # The worker reads documents, and the scheduler the files that students sent with a report for the operators.
        if process in {"worker", "scheduler"}:
            assert client.get_object(bucket_name="uploads", object_name="of-a-process").read() == b"word"
        else:
            with pytest.raises(S3Error, match="AccessDenied"):
                client.get_object(bucket_name="uploads", object_name="of-a-process")


async def test_the_applications_own_pool_works_through_pgbouncer(cluster: LocalCluster) -> None:
    """The server has more connections than the client, so a statement must not be prepared (R3.1)."""
    options = PoolOptions(
        size_min=4, size_max=8, waiting_max=100, wait_seconds=20, statement_seconds=10, connect_seconds=5
    )
    database = Database(application_url(cluster), options)
    await database.open()
    try:
        for number in range(60):
            async with database.transaction() as connection:
                found = await (await connection.execute("SELECT %s + 1 AS next", [number])).fetchone()
            assert found == {"next": number + 1}
        await database.ping()
    finally:
        await database.close()


def test_each_key_of_the_object_store_opens_its_own_bucket(cluster: LocalCluster) -> None:
    """Without a key, only releases can be read (R8.1)."""
    anonymous = object_store(cluster, None, None)
    for access_key, (secret, own) in IDENTITIES.items():
        client = object_store(cluster, access_key, secret)
        client.put_object(bucket_name=own, object_name="of-a-test", data=io.BytesIO(b"word"), length=4)
        assert client.get_object(bucket_name=own, object_name="of-a-test").read() == b"word"
        for other in {"uploads", "releases", "backups"} - {own}:
            with pytest.raises(S3Error, match="AccessDenied"):
                client.stat_object(bucket_name=other, object_name="of-a-test")
            with pytest.raises(S3Error, match="AccessDenied"):
                client.put_object(bucket_name=other, object_name="of-a-test", data=io.BytesIO(b"word"), length=4)
    assert anonymous.get_object(bucket_name="releases", object_name="of-a-test").read() == b"word"
    with pytest.raises(S3Error, match="AccessDenied"):
        anonymous.put_object(bucket_name="releases", object_name="of-a-test", data=io.BytesIO(b"word"), length=4)
    for closed in ("uploads", "backups"):
        with pytest.raises(S3Error, match="AccessDenied"):
            anonymous.get_object(bucket_name=closed, object_name="of-a-test")


def test_the_two_redis_servers_treat_a_full_memory_as_their_data_need_it(cluster: LocalCluster) -> None:
    """State is never evicted, and the cache always can be (R4.3, R4.4). Both require a password."""
    for port, password, policy in (
        ("redisStatePort", "redisStatePassword", "noeviction"),
        ("redisCachePort", "redisCachePassword", "allkeys-lru"),
    ):
        host, _, number = cluster.plan.address(port).partition(":")
        with redis.Redis(host=host, port=int(number), password=cluster.credentials.password(password)) as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": policy}
        with redis.Redis(host=host, port=int(number), password="wrong") as client, pytest.raises(redis.RedisError):
            client.ping()


def test_a_second_up_changes_nothing(cluster: LocalCluster) -> None:
    """Neither a resource nor an instance changes (R10.1)."""
    before = allocations(cluster)
    cluster.up()
    cluster.stack.up("--expect-no-changes")
    assert allocations(cluster) == before


def test_up_starts_agents_that_were_killed_beside_the_tasks_that_go_on(cluster: LocalCluster) -> None:
    """The processes are the same, and all are healthy again (R10.1)."""
    before = main_processes(cluster)
    for agent in (cluster.nomad.process, cluster.consul.process):
        pid = agent.pid()
        assert pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda agent=agent: agent.pid() is None)
    cluster.up()
    assert main_processes(cluster) == before


def main_processes(cluster: LocalCluster) -> set[str]:
    """The first process of each store's task. PostgreSQL's other processes start and end."""
    found: dict[str, set[int]] = {}
    for job, _, process in tasks_of(cluster):
        found.setdefault(job, set()).add(int(process.name))
    return {f"{job} {min(found[job])}" for job in STORES}


def test_what_is_stored_outlives_destroy_and_a_stop_of_everything(cluster: LocalCluster) -> None:
    """Nothing else remains: no job, secret, process, mount or control group (R10.1)."""
    uploads = object_store(cluster, "upschedule", "objectStoreApplicationSecretKey")
    uploads.put_object(bucket_name="uploads", object_name="kept", data=io.BytesIO(b"word"), length=4)
    with psycopg.connect(owner_url(cluster), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (word text)")

    remove_release_records(cluster)
    cluster.stack.destroy()
    # Jobs that keep data are stopped, but not purged.
    jobs = cluster.nomad.api.get("jobs", namespace="*")
    left = {(job["ID"], job["Stop"]) for job in jobs if not job["ParentID"]}
    # Nomad keeps the record of a finished run of a periodic job for some hours.
    assert {job["Status"] for job in jobs if job["ParentID"]} <= {"dead"}
    assert left == {(name, True) for name in ("postgres", "redis-state", "object-store", "backup-store")}
    assert NAMESPACE not in {entry["Name"] for entry in cluster.nomad.api.get("namespaces")}
    assert [token["Type"] for token in cluster.nomad.api.get("acl", "tokens")] == ["management"]
    cluster.down()
    assert left_of(cluster) == []
    cluster.up()

    assert uploads.get_object(bucket_name="uploads", object_name="kept").read() == b"word"
    uploads.remove_object(bucket_name="uploads", object_name="kept")
    with psycopg.connect(owner_url(cluster), autocommit=True) as connection:
        connection.execute("DROP TABLE kept")


def remove_release_records(cluster: LocalCluster) -> None:
    """docs/production.md describes this step.

    Nomad deletes no namespace with variables, and the stack does not manage these.
    """
    cluster.nomad.api.delete("job", "supervisor", namespace=NAMESPACE)
    wait_until(lambda: not supervisors(cluster), timeout_seconds=60)
    for prefix in ("releases/", "supervisor/"):
        for each in cluster.nomad.api.get("vars", prefix=prefix, namespace=NAMESPACE):
            cluster.nomad.api.delete("var", *each["Path"].split("/"), namespace=NAMESPACE)


def supervisors(cluster: LocalCluster) -> list[str]:
    """Instances of the supervisor that have not ended."""
    found = cluster.nomad.api.get("job", "supervisor", "allocations", namespace=NAMESPACE)
    return [each["ID"] for each in found if each["ClientStatus"] in {"pending", "running"}]


def left_of(cluster: LocalCluster) -> list[str]:
    """Remaining processes and mounts."""
    folder, cgroup = cluster.plan.data, cluster.nomad.cgroup
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    processes = {*processes_with_files_below(folder), *processes_of(cgroup)}
    return [*(line for line in mounts if str(folder) in line), *map(str, processes)]
