"""The stores: each runs on this cluster, unless the stack names a server elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

import msgspec
import pulumi

from components.service import JOBS, Service, ServiceArgs
from config import Megabytes, Port, Text, certificate_problem, key_problem
from parts.cluster import Cluster
from parts.identities import MONITOR, derive_output, object_store_identities, process_passwords, redis_rules
from upschedule.operations.privileges.identities import BACKUPS, PROCESSES
from upschedule.operations.privileges.redis import Redis
from upschedule.settings.metadata import url_of
from upschedule.settings.servers import DEFAULT_REGION

SECRETS = (
    "postgresOwnerPassword",
    "postgresApplicationPassword",
    "storesAuthority",
    "storesCertificate",
    "storesKey",
    "redisStatePassword",
    "redisCachePassword",
    "objectStoreApplicationSecretKey",
    "objectStoreReleaseSecretKey",
    "objectStoreBackupSecretKey",
)
# A `KeyPair` in JSON: the application's before a rotation, which running instances still use.
OPTIONAL_SECRETS = ("objectStoreApplicationKeyBefore",)
# The file in which a task that uses a database URL has `Stores.authority`.
AUTHORITY_FILE = "/secrets/stores-authority.pem"

Secrets = Mapping[str, pulumi.Output[str]]
# HOST:PORT, or empty. PgBouncer gets host and port as two variables.
ElsewhereAddress = Annotated[str, url_of("address")]


class KeyPair(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Name and secret of one identity of the object store."""

    access_key: Text
    secret_key: Text


def key_pair_problem(secret: str) -> str | None:
    """None for a `KeyPair` in JSON; the reason does not repeat the text."""
    try:
        msgspec.json.decode(secret, type=KeyPair)
    except msgspec.DecodeError:
        return 'is not of the form {"accessKey": …, "secretKey": …}'
    return None


#: Secrets that are not passwords.
FORMS = {
    "storesAuthority": certificate_problem,
    "storesCertificate": certificate_problem,
    "storesKey": key_problem,
    "objectStoreApplicationKeyBefore": key_pair_problem,
}


class StoresConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Settings of the stores. Paths are as a task sees them. Ports are fixed, so that an address outlives its instance.

    `postgresAddress` and `objectStoreAddress` are HOST:PORT of servers elsewhere, which then do not run here.
    `objectStoreRegion` is the region that the S3 store expects in signatures. `postgresVersion` is the major version of
    Debian's PostgreSQL that runs here. Another one begins with an empty folder, unless the runbook of the upgrade was
    followed (docs/runbooks/upgrade-postgresql.md).
    """

    redis_program: Text
    postgres_address: ElsewhereAddress = ""
    postgres_volume: Text = "postgres"
    postgres_version: Annotated[int, msgspec.Meta(ge=15)] = 15
    postgres_port: Port = 5432
    postgres_memory_mb: Megabytes = 1024
    pgbouncer_port: Port = 6432
    redis_state_volume: Text = "redis-state"
    redis_state_port: Port = 6379
    redis_state_memory_mb: Megabytes = 1024
    redis_cache_port: Port = 6380
    redis_cache_memory_mb: Megabytes = 2048
    object_store_address: ElsewhereAddress = ""
    object_store_secure: bool = False
    object_store_region: Text = DEFAULT_REGION
    object_store_application_access_key: Text = "upschedule"
    object_store_backup_access_key: Text = "backup"
    object_store_program: Text = "/usr/bin/weed"
    object_store_volume: Text = "object-store"
    object_store_port: Port = 8333
    object_store_master_port: Port = 9333


@dataclass(frozen=True, kw_only=True)
class ObjectStoreKeys:
    """The keys of one identity, which can use its own bucket only."""

    access_key: str
    secret_key: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class ProcessCredentials:
    """Names and secrets of one process in all stores. `postgres_url` leads to PgBouncer in transaction mode."""

    postgres_url: pulumi.Output[str]
    redis_state_url: pulumi.Output[str]
    redis_cache_url: pulumi.Output[str]
    uploads: ObjectStoreKeys


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Addresses and credentials for the application; `processes` has a key for each of `PROCESSES`.

    `backup_uploads` has one for each of `BACKUPS`. Clients of the database URLs verify the server by `authority`, PEM
    that the task has in AUTHORITY_FILE. `owner_url` and `backup_url` lead to PostgreSQL itself, which is `backed_up`
    by the stack unless it runs elsewhere.
    """

    authority: pulumi.Output[str]
    owner_url: pulumi.Output[str]
    backup_url: pulumi.Output[str]
    object_store_endpoint: str
    object_store_secure: bool
    object_store_region: str
    processes: Mapping[str, ProcessCredentials]
    backed_up: bool
    backups: ObjectStoreKeys
    backup_uploads: Mapping[str, ObjectStoreKeys]


@dataclass(frozen=True, kw_only=True)
class Archive:
    """The archive of PostgreSQL's write-ahead log: variables of pgBackRest, as lines and as secrets by name.

    A segment with changes is archived after `seconds` even if it is not full. The archive may delay the end of the
    server by `stop_seconds`.
    """

    repository: str
    seconds: int
    stop_seconds: int
    secrets: Mapping[str, pulumi.Input[str]]


def postgres_programs(settings: StoresConfig) -> str:
    """The folder of the programs of the PostgreSQL that runs here, as Debian names it."""
    return f"/usr/lib/postgresql/{settings.postgres_version}/bin"


def postgres_data(settings: StoresConfig) -> str:
    """The folder of its data in the tasks of the jobs `postgres`, `backup` and `restore`."""
    return f"/data/{settings.postgres_version}"


def store_addresses(cluster: Cluster, settings: StoresConfig) -> dict[str, str]:
    """HOST:PORT of each server."""
    return {
        "postgres": settings.postgres_address or f"{cluster.host('postgres')}:{settings.postgres_port}",
        "pgbouncer": f"{cluster.host('pgbouncer')}:{settings.pgbouncer_port}",
        "redis-state": f"{cluster.host('redis-state')}:{settings.redis_state_port}",
        "redis-cache": f"{cluster.host('redis-cache')}:{settings.redis_cache_port}",
        "object-store": settings.object_store_address or f"{cluster.host('object-store')}:{settings.object_store_port}",
    }


def define(cluster: Cluster, settings: StoresConfig, secrets: Secrets, archive: Archive) -> Stores:
    """Defines PostgreSQL with its pool (R3.1), two Redis servers (R4.3, R4.4) and the S3 store."""
    addresses = store_addresses(cluster, settings)
    postgres, objects = addresses["postgres"], addresses["object-store"]
    if not settings.postgres_address:
        define_postgres(cluster, settings, secrets, archive)
    define_pgbouncer(cluster, settings, secrets, postgres)
    define_redis(cluster, settings, secrets)
    if not settings.object_store_address:
        define_object_store(cluster, settings, secrets)
    return Stores(
        authority=secrets["storesAuthority"],
        owner_url=database_url("upschedule_owner", secrets["postgresOwnerPassword"], postgres),
        backup_url=database_url(
            "upschedule_backup", derive_output(secrets["postgresOwnerPassword"], "backup"), postgres
        ),
        object_store_endpoint=objects,
        object_store_secure=settings.object_store_secure,
        object_store_region=settings.object_store_region,
        processes={process: process_credentials(process, cluster, settings, secrets) for process in PROCESSES},
        backed_up=not settings.postgres_address,
        backups=ObjectStoreKeys(
            access_key=settings.object_store_backup_access_key, secret_key=secrets["objectStoreBackupSecretKey"]
        ),
        backup_uploads={each: uploads_key(each, settings, secrets) for each in BACKUPS},
    )


def process_credentials(process: str, cluster: Cluster, settings: StoresConfig, secrets: Secrets) -> ProcessCredentials:
    role = f"upschedule_{process}"
    addresses = store_addresses(cluster, settings)
    pgbouncer, state, cache = (addresses[name] for name in ("pgbouncer", "redis-state", "redis-cache"))
    return ProcessCredentials(
        postgres_url=database_url(
            role, derive_output(secrets["postgresApplicationPassword"], process), pgbouncer, role
        ),
        redis_state_url=redis_url(process, derive_output(secrets["redisStatePassword"], process), state),
        redis_cache_url=redis_url(process, derive_output(secrets["redisCachePassword"], process), cache),
        uploads=uploads_key(process, settings, secrets),
    )


def uploads_key(identity: str, settings: StoresConfig, secrets: Secrets) -> ObjectStoreKeys:
    return ObjectStoreKeys(
        access_key=f"{settings.object_store_application_access_key}-{identity}",
        secret_key=derive_output(secrets["objectStoreApplicationSecretKey"], identity),
    )


def database_url(
    role: str, password: pulumi.Output[str], address: str, database: str = "upschedule"
) -> pulumi.Output[str]:
    query = f"sslmode=verify-full&sslrootcert={AUTHORITY_FILE}"
    return password.apply(lambda word: f"postgresql://{role}:{quote(word, safe='')}@{address}/{database}?{query}")


def redis_url(user: str, password: pulumi.Output[str], address: str) -> pulumi.Output[str]:
    return password.apply(lambda word: f"redis://{user}:{quote(word, safe='')}@{address}/0")


def define_postgres(cluster: Cluster, settings: StoresConfig, secrets: Secrets, archive: Archive) -> None:
    Service(
        "postgres",
        ServiceArgs(
            namespace=cluster.namespace,
            keeps_data=True,
            variables={
                **cluster.common("postgres"),
                "volume": settings.postgres_volume,
                "programs": postgres_programs(settings),
                "data": postgres_data(settings),
                "port": str(settings.postgres_port),
                "memory_mb": str(settings.postgres_memory_mb),
                "repository": archive.repository,
                "archive_seconds": str(archive.seconds),
                "archive_stop_seconds": str(archive.stop_seconds),
                "archive_program_text": (JOBS / "postgres" / "archive.py").read_text(encoding="utf-8"),
            },
            secrets={
                "owner_password": secrets["postgresOwnerPassword"],
                "backup_password": derive_output(secrets["postgresOwnerPassword"], "backup"),
                **process_passwords(secrets["postgresApplicationPassword"]),
                "application_password": secrets["postgresApplicationPassword"],
                "monitor_password": derive_output(secrets["postgresApplicationPassword"], MONITOR),
                "certificate": secrets["storesCertificate"],
                "key": secrets["storesKey"],
                "authority": secrets["storesAuthority"],
                **archive.secrets,
            },
        ),
    )


def define_pgbouncer(cluster: Cluster, settings: StoresConfig, secrets: Secrets, postgres: str) -> None:
    host, _, port = postgres.rpartition(":")
    Service(
        "pgbouncer",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={
                **cluster.common("pgbouncer"),
                "port": str(settings.pgbouncer_port),
                "postgres_host": host,
                "postgres_port": port,
            },
            secrets={
                **process_passwords(secrets["postgresApplicationPassword"]),
                "application_password": secrets["postgresApplicationPassword"],
                "monitor_password": derive_output(secrets["postgresApplicationPassword"], MONITOR),
                "authority": secrets["storesAuthority"],
                "certificate": secrets["storesCertificate"],
                "key": secrets["storesKey"],
            },
        ),
    )


def define_redis(cluster: Cluster, settings: StoresConfig, secrets: Secrets) -> None:
    state = {
        "volume": settings.redis_state_volume,
        "port": str(settings.redis_state_port),
        "memory_mb": str(settings.redis_state_memory_mb),
    }
    cache = {
        "volume": "",
        "port": str(settings.redis_cache_port),
        "memory_mb": str(settings.redis_cache_memory_mb),
    }
    define_redis_server("state", cluster, {"program": settings.redis_program, **state}, secrets["redisStatePassword"])
    define_redis_server("cache", cluster, {"program": settings.redis_program, **cache}, secrets["redisCachePassword"])


def define_redis_server(
    server: Redis, cluster: Cluster, variables: Mapping[str, str], password: pulumi.Output[str]
) -> None:
    name = f"redis-{server}"
    Service(
        name,
        ServiceArgs(
            namespace=cluster.namespace,
            file="redis",
            keeps_data=server == "state",
            variables={**cluster.common(name), "server": server, **variables, **redis_rules(server)},
            secrets={
                "password": password,
                "monitor_password": derive_output(password, MONITOR),
                **process_passwords(password),
            },
        ),
    )


def process_identities(access_key: str, secret_key: str, before: str) -> str:
    """Identities of the processes; `before` is the stack's pair before a rotation as JSON, or empty."""
    pairs = [(access_key, secret_key)]
    if before:
        earlier = msgspec.json.decode(before, type=KeyPair)
        pairs.append((earlier.access_key, earlier.secret_key))
    return object_store_identities(pairs)


def define_object_store(cluster: Cluster, settings: StoresConfig, secrets: Secrets) -> None:
    before = "objectStoreApplicationKeyBefore"
    Service(
        "object-store",
        ServiceArgs(
            namespace=cluster.namespace,
            keeps_data=True,
            variables={
                **cluster.common("object-store"),
                "program": settings.object_store_program,
                "volume": settings.object_store_volume,
                "port": str(settings.object_store_port),
                "master_port": str(settings.object_store_master_port),
            },
            secrets={
                "application_access_key": settings.object_store_application_access_key,
                "application_secret_key": secrets["objectStoreApplicationSecretKey"],
                "process_identities": pulumi.Output.all(
                    secrets["objectStoreApplicationSecretKey"], secrets.get(before, "")
                ).apply(lambda both: process_identities(settings.object_store_application_access_key, *both)),
                "release_secret_key": secrets["objectStoreReleaseSecretKey"],
                "backup_secret_key": secrets["objectStoreBackupSecretKey"],
                **({"application_key_before": secrets[before]} if before in secrets else {}),
            },
        ),
    )
