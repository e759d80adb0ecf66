"""Stores run in the cluster unless the stack names external ones. Each client gets the address and a password."""

import json

import psycopg.conninfo
import pulumi
import pytest
import redis.connection
from hypothesis import given, settings
from hypothesis import strategies as st

from parts import stores
from parts.identities import derive_secret
from tests.support.cluster.program.configurations import GIVEN, REQUIRED
from tests.support.cluster.program.nomad_server import Nomad
from tests.support.cluster.program.recorded_engine import Ran, run
from tests.support.cluster.program.whole_program import RELEASED, up
from upschedule.operations.privileges.identities import Backup, Process
from upschedule.operations.privileges.objects import actions_of
from upschedule.operations.privileges.redis import rules
from upschedule.settings.servers import DEFAULT_REGION

ELSEWHERE = {
    "postgresAddress": "database.example.org:15432",
    "objectStoreAddress": "s3.example.org:443",
    "objectStoreSecure": "true",
    "objectStoreRegion": "af-south-1",
}
SERVED_SECRETS = (
    "UPSCHEDULE_POSTGRES_URL",
    "UPSCHEDULE_REDIS_STATE_URL",
    "UPSCHEDULE_REDIS_CACHE_URL",
    "UPSCHEDULE_OBJECTS_ACCESS_KEY",
    "UPSCHEDULE_OBJECTS_SECRET_KEY",
)
SHARED_SECRETS = {
    GIVEN[name]
    for name in (
        "postgresApplicationPassword",
        "postgresOwnerPassword",
        "redisStatePassword",
        "redisCachePassword",
        "objectStoreApplicationSecretKey",
    )
}
# All characters that an operator can type and a client can send: PostgreSQL accepts no NUL, and UTF-8 no lone
# surrogate.
PASSWORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def database(url: str) -> dict[str, str]:
    """Parses the URL as libpq does."""
    return {name: str(value) for name, value in psycopg.conninfo.conninfo_to_dict(url).items()}


def settings_of(ran: Ran[list[str]]) -> dict[str, str]:
    lines = ran.variables("api")["settings"].splitlines()
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


def test_stores_are_found_by_name_on_their_ports(nomad: Nomad) -> None:
    """Requests of visitors reach PostgreSQL through PgBouncer.

    Migrations and dumps connect directly, since they cannot use it.
    """
    items = up(RELEASED).items
    serve, prepare = items["nomad/jobs/api/api/serve"], items["nomad/jobs/api/api/prepare"]
    secure = {"dbname": "upschedule", "sslmode": "verify-full", "sslrootcert": "/secrets/stores-authority.pem"}

    assert database(serve["UPSCHEDULE_POSTGRES_URL"]) == {
        **secure,
        "host": "pgbouncer.service.consul",
        "port": "6432",
        "dbname": "upschedule_api",
        "user": "upschedule_api",
        "password": derive_secret(GIVEN["postgresApplicationPassword"], "api"),
    }
    assert database(prepare["UPSCHEDULE_POSTGRES_OWNER_URL"]) == {
        "host": "postgres.service.consul",
        "port": "5432",
        "user": "upschedule_owner",
        "password": GIVEN["postgresOwnerPassword"],
        **secure,
    }
    for use, port in (("STATE", 6379), ("CACHE", 6380)):
        address = redis.connection.parse_url(serve[f"UPSCHEDULE_REDIS_{use}_URL"])
        assert (address["host"], address["port"]) == (f"redis-{use.lower()}.service.consul", port)
        assert address["username"] == "api"
        assert address["password"] == derive_secret(GIVEN[f"redis{use.title()}Password"], "api")


def test_each_process_has_names_and_secrets_that_the_stores_know_and_no_other_has(nomad: Nomad) -> None:
    """No task has a secret of the stack from which another task's secrets could be derived (decision 16)."""
    ran = up(RELEASED)
    own: dict[Process, dict[str, str]] = {
        "api": ran.items["nomad/jobs/api/api/serve"],
        "worker": ran.items["nomad/jobs/worker/worker/work"],
        "scheduler": ran.items["nomad/jobs/scheduler/scheduler/schedule"],
    }
    identities = {
        entry["name"]: entry for entry in json.loads(f"[{ran.items['nomad/jobs/object-store']['process_identities']}]")
    }
    for process, items in own.items():
        url = database(items["UPSCHEDULE_POSTGRES_URL"])
        assert (url["user"], url["dbname"]) == (f"upschedule_{process}", f"upschedule_{process}")
        for job in ("postgres", "pgbouncer"):
            assert ran.items[f"nomad/jobs/{job}"][f"{process}_password"] == url["password"]
        for use in ("state", "cache"):
            address = redis.connection.parse_url(items[f"UPSCHEDULE_REDIS_{use.upper()}_URL"])
            assert address["username"] == process
            assert address["password"] == ran.items[f"nomad/jobs/redis-{use}"][f"{process}_password"]
            assert ran.variables(f"redis-{use}")[f"{process}_rules"] == rules(use)[process]
        pair = {
            "accessKey": items["UPSCHEDULE_OBJECTS_ACCESS_KEY"],
            "secretKey": items["UPSCHEDULE_OBJECTS_SECRET_KEY"],
        }
        assert identities[process]["credentials"] == [pair]
        assert identities[process]["actions"] == actions_of(process, "uploads")
        assert not {value for value in GIVEN.values() if value in " ".join(items.values())} & SHARED_SECRETS
    pairs: tuple[tuple[Backup, str], ...] = (
        ("object-copies", "backup"),
        ("object-copies", "object-copies"),
        ("restore", "restore"),
    )
    for identity, job in pairs:
        items = ran.items[f"nomad/jobs/{job}"]
        assert identities[identity]["credentials"] == [
            {
                "accessKey": items["UPSCHEDULE_OBJECTS_ACCESS_KEY"],
                "secretKey": items["UPSCHEDULE_OBJECTS_SECRET_KEY"],
            }
        ]
        assert identities[identity]["actions"] == actions_of(identity, "uploads")
    for name in SERVED_SECRETS:
        assert len({items[name] for items in own.values()}) == 3


def test_a_port_that_is_set_reaches_the_store_and_its_users(nomad: Nomad) -> None:
    """A host can be set, too, for machines where Consul's DNS does not answer tasks."""
    ports = {"postgresPort": "15432", "pgbouncerPort": "16432", "redisStatePort": "16379", "redisCachePort": "16380"}
    ran = up({**RELEASED, **ports, "objectStorePort": "18333", "serviceHost": "10.0.0.9"})
    serve, prepare = ran.items["nomad/jobs/api/api/serve"], ran.items["nomad/jobs/api/api/prepare"]

    for job, port in zip(("postgres", "pgbouncer", "redis-state", "redis-cache"), ports.values(), strict=True):
        assert ran.variables(job)["port"] == port
    assert ran.variables("object-store")["port"] == "18333"
    assert "@10.0.0.9:15432/" in prepare["UPSCHEDULE_POSTGRES_OWNER_URL"]
    assert "@10.0.0.9:16432/" in serve["UPSCHEDULE_POSTGRES_URL"]
    assert serve["UPSCHEDULE_REDIS_STATE_URL"].endswith("@10.0.0.9:16379/0")
    assert serve["UPSCHEDULE_REDIS_CACHE_URL"].endswith("@10.0.0.9:16380/0")
    assert settings_of(ran)["UPSCHEDULE_OBJECTS_ENDPOINT"] == "10.0.0.9:18333"


def test_stores_elsewhere_do_not_run_here(nomad: Nomad) -> None:
    """PgBouncer still runs, since it limits the connections of R3.1 wherever PostgreSQL is."""
    here, ran = up(RELEASED), up({**RELEASED, **ELSEWHERE})
    prepare = ran.items["nomad/jobs/api/api/prepare"]
    pool = ran.variables("pgbouncer")
    backups = {"backup", "restore", "object-copies", "backup-store"}

    assert set(here.jobs) - set(ran.jobs) == {"postgres", "object-store"} | backups
    assert not {"nomad/jobs/postgres", "nomad/jobs/object-store"} & set(ran.items)
    assert (pool["postgres_host"], pool["postgres_port"]) == ("database.example.org", "15432")
    assert "@database.example.org:15432/" in prepare["UPSCHEDULE_POSTGRES_OWNER_URL"]
    assert "@pgbouncer.service.consul:6432/" in ran.items["nomad/jobs/api/api/serve"]["UPSCHEDULE_POSTGRES_URL"]
    assert settings_of(ran)["UPSCHEDULE_OBJECTS_ENDPOINT"] == "s3.example.org:443"
    assert settings_of(ran)["UPSCHEDULE_OBJECTS_SECURE"] == "true"
    assert ran.variables("api")["backups_url"] == "https://s3.example.org:443"


def test_the_region_of_the_object_store_reaches_the_processes_and_the_backups(nomad: Nomad) -> None:
    """Each client signs its requests with the region. Without the setting, the default of the processes applies."""
    default, ran = up(RELEASED), up({**RELEASED, **ELSEWHERE})

    assert settings_of(default)["UPSCHEDULE_OBJECTS_REGION"] == DEFAULT_REGION
    assert default.variables("api")["backups_region"] == DEFAULT_REGION
    assert settings_of(ran)["UPSCHEDULE_OBJECTS_REGION"] == "af-south-1"
    assert ran.variables("api")["backups_region"] == "af-south-1"


@pytest.mark.parametrize(
    ("address", "absent"),
    [("postgresAddress", {"postgres", "backup-store"}), ("objectStoreAddress", {"object-store"})],
)
def test_one_store_elsewhere_leaves_the_other_here(address: str, absent: set[str]) -> None:
    """Each store can be external on its own. The store of the backups exists only for a PostgreSQL in the cluster."""
    assert set(up().jobs) - set(up({**REQUIRED, address: ELSEWHERE[address]}).jobs) == absent


def test_the_key_of_before_is_taken_only_while_it_is_set() -> None:
    """It is needed between the two steps of a rotation."""
    before = {"objectStoreApplicationKeyBefore": '{"accessKey": "a", "secretKey": "b"}'}
    name = "process_identities"
    without, during = (
        up().items["nomad/jobs/object-store"],
        up(secrets={**GIVEN, **before}).items["nomad/jobs/object-store"],
    )

    assert during == {
        **without,
        "application_key_before": before["objectStoreApplicationKeyBefore"],
        name: during[name],
    }
    for entry, known in zip(json.loads(f"[{during[name]}]"), json.loads(f"[{without[name]}]"), strict=True):
        old = {"accessKey": f"a-{entry['name']}", "secretKey": derive_secret("b", entry["name"])}
        assert entry == {**known, "credentials": [*known["credentials"], old]}


def test_the_same_keys_reach_the_store_and_its_users(nomad: Nomad) -> None:
    """The application's key pair gives access to its uploads.

    The backup's pair is in the one task that makes backups.
    """
    names = {"objectStoreApplicationAccessKey": "upschedule-2", "objectStoreBackupAccessKey": "backup-2"}
    items = up({**RELEASED, **names}).items
    store, serve = items["nomad/jobs/object-store"], items["nomad/jobs/api/api/serve"]
    prepare = items["nomad/jobs/api/api/prepare"]

    assert store["application_access_key"] == "upschedule-2"
    assert serve["UPSCHEDULE_OBJECTS_ACCESS_KEY"] == "upschedule-2-api"
    assert prepare["AWS_ACCESS_KEY_ID"] == "backup-2"
    assert store["backup_secret_key"] == prepare["AWS_SECRET_ACCESS_KEY"]


@given(PASSWORDS)
@settings(max_examples=60, deadline=None)
def test_any_password_comes_through_its_url(password: str) -> None:
    """The clients' own parsers return the same password, whatever characters it has."""

    def urls() -> pulumi.Output[list[str]]:
        secret = pulumi.Output.secret(password)
        return pulumi.Output.all(
            stores.database_url("role", secret, "host:5432"), stores.redis_url("user", secret, "host:6379")
        )

    database_url, redis_url = run(urls).result

    assert database(database_url)["password"] == password
    assert database(database_url)["host"] == "host"
    assert redis.connection.parse_url(redis_url)["password"] == password
