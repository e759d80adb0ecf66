"""What people use: API, workers, scheduler, all of one release."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Annotated

import msgspec
import pulumi

from components.service import JOBS as JOB_FILES
from components.service import Service, ServiceArgs
from config import Megabytes, Text
from guard import read_rollouts, refuse_a_second_release
from parts.cluster import Cluster
from parts.stores import Stores

SECRETS = ("feedSecret", "applicationConsulToken")
JOBS = ("api", "worker", "scheduler")
#: A share of the processor is enough for it.
SCHEDULER_RESOURCES = {"cores": "0", "cpu": "200", "memory_mb": "256"}

Cores = Annotated[int, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Secrets = Mapping[str, pulumi.Input[str]]


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """Of a release."""

    name: Text
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest that `upschedule release` prints."""

    version: Text
    environment: Archive
    sources: Archive


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Paths are those that a task sees on a node. Without `release` nothing of this part runs.

    `release` is the manifest in JSON, `releaseSource` the URL of the folder that its archives are in; empty: the bucket
    of the stack's own object store. `settings` are the application's, as an object: UPSCHEDULE_… to text.
    `…Cores` of 0 give a share of the processor instead, for machines with few.
    """

    release: str = ""
    release_source: str = ""
    settings: str = "{}"
    public_url: Text
    domain: str = ""
    consul_address: Text = "127.0.0.1:8500"
    # Networks that Traefik's instances are in.
    proxy_networks: Text = "127.0.0.1/32"
    python_program: Text = "/usr/bin/python3.11"
    release_volume: Text = "releases"
    postgres_programs: Text = "/usr/lib/postgresql/15/bin"
    api_instances: Count = 2
    api_instances_min: Count = 1
    api_instances_max: Count = 20
    api_cores: Cores = 1
    api_cpu_mhz: Count = 1000
    api_memory_mb: Megabytes = 1024
    worker_instances: Count = 2
    worker_instances_min: Count = 2
    worker_instances_max: Count = 50
    worker_cores: Cores = 2
    worker_cpu_mhz: Count = 2000
    worker_memory_mb: Megabytes = 2048
    scheduler_instances: Count = 2
    scaling_enabled: bool = True
    # Above what backup and migrations take.
    release_healthy_seconds: Annotated[int, msgspec.Meta(ge=60)] = 900
    release_min_healthy_seconds: Count = 10


def check(settings: Settings, secrets: Collection[str]) -> dict[str, str]:
    """The two that are JSON, and those that leave each other no room."""
    del secrets
    problems = crossed_bounds(settings)
    if settings.release:
        try:
            msgspec.json.decode(settings.release, type=Release)
        except msgspec.DecodeError as error:
            problems["release"] = f"is no manifest that `upschedule release` prints: {error}"
    try:
        chosen_settings(settings)
    except msgspec.DecodeError as error:
        problems["settings"] = f"must be an object of names and values: {error}"
    return problems


def crossed_bounds(settings: Settings) -> dict[str, str]:
    """What Nomad would refuse only when other jobs have changed already."""
    problems: dict[str, str] = {}
    if settings.api_instances_min > settings.api_instances_max:
        problems["apiInstancesMin"] = f"is above apiInstancesMax, {settings.api_instances_max}"
    if settings.worker_instances_min > settings.worker_instances_max:
        problems["workerInstancesMin"] = f"is above workerInstancesMax, {settings.worker_instances_max}"
    if settings.release_min_healthy_seconds >= settings.release_healthy_seconds:
        problems["releaseMinHealthySeconds"] = f"is not below releaseHealthySeconds, {settings.release_healthy_seconds}"
    return problems


def chosen_settings(settings: Settings) -> dict[str, str]:
    """As environment variables say them. Raises msgspec.DecodeError."""
    given = msgspec.json.decode(settings.settings, type=dict[str, str | bool | int | float])
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def await_turn(settings: Settings, namespace: str) -> None:
    """Before the first resource: what was asked for until an error is made all the same. Raises ReleaseUnderWay."""
    if settings.release:
        release = msgspec.json.decode(settings.release, type=Release)
        refuse_a_second_release(release.version, lambda: read_rollouts(JOBS, namespace))


def define(cluster: Cluster, settings: Settings, secrets: Secrets, stores: Stores) -> None:
    """API (R10.1), workers (R10.2) and scheduler."""
    if not settings.release:
        return
    release = msgspec.json.decode(settings.release, type=Release)
    own = {process: process_secrets(process, secrets, stores) for process in JOBS}
    shared = {
        "release": release_variable(settings, release, stores, user=f"{cluster.settings.user_prefix}release"),
        "settings": application_settings(settings, stores),
        # Of all: a release and a rotation go through the three jobs together.
        "secrets_fingerprint": secrets_fingerprint(
            {f"{process}/{name}": value for process, items in own.items() for name, value in items.items()}
        ),
    }
    define_api(cluster, settings, shared, own["api"], stores)
    Service(
        "worker",
        ServiceArgs(
            namespace=cluster.namespace,
            file="background",
            variables={
                **cluster.common("worker"),
                "process": "worker",
                **shared,
                **scaled(settings, "worker"),
            },
            task_secrets={"worker/work": own["worker"], "worker/wait": waiting(own["worker"])},
        ),
    )
    Service(
        "scheduler",
        ServiceArgs(
            namespace=cluster.namespace,
            file="background",
            variables={
                **cluster.common("scheduler"),
                "process": "scheduler",
                **shared,
                **SCHEDULER_RESOURCES,
                "instances": str(settings.scheduler_instances),
            },
            task_secrets={"scheduler/schedule": own["scheduler"], "scheduler/wait": waiting(own["scheduler"])},
        ),
    )


def define_api(cluster: Cluster, settings: Settings, shared: Secrets, application: Secrets, stores: Stores) -> None:
    """With the one task that may change tables and write backups."""
    prepare = {
        "authority": stores.authority,
        "UPSCHEDULE_POSTGRES_OWNER_URL": stores.owner_url,
        "UPSCHEDULE_POSTGRES_BACKUP_URL": stores.backup_url,
        "AWS_ACCESS_KEY_ID": stores.backups.access_key,
        "AWS_SECRET_ACCESS_KEY": stores.backups.secret_key,
    }
    own = {
        "prepare_user": f"{cluster.settings.user_prefix}prepare",
        "postgres_programs": settings.postgres_programs,
        "backups_url": object_store_url(stores),
        "domain": settings.domain,
    }
    Service(
        "api",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={**cluster.common("api"), **shared, **scaled(settings, "api"), **own},
            task_secrets={"api/serve": application, "api/prepare": prepare},
        ),
    )


def release_variable(settings: Settings, release: Release, stores: Stores, *, user: str) -> str:
    """The variable `release` of all three jobs: JSON whose keys the job files describe."""
    source = settings.release_source.rstrip("/") or f"{object_store_url(stores)}/releases"
    return json.dumps(
        {
            "version": release.version,
            "environment": {"url": f"{source}/{release.environment.name}", "sha256": release.environment.sha256},
            "sources": {"url": f"{source}/{release.sources.name}", "sha256": release.sources.sha256},
            "volume": settings.release_volume,
            "user": user,
            "program": (JOB_FILES / "release" / "unpacked.py").read_text(encoding="utf-8"),
            "python": settings.python_program,
            "healthy_seconds": settings.release_healthy_seconds,
            "min_healthy_seconds": settings.release_min_healthy_seconds,
        }
    )


def scaled(settings: Settings, service: str) -> dict[str, str]:
    """How many there may be of it, and what each gets."""
    values = msgspec.structs.asdict(settings)
    names = {"instances_min": "instances_min", "instances_max": "instances_max"}
    names |= {"cores": "cores", "cpu": "cpu_mhz", "memory_mb": "memory_mb"}
    sizes = {variable: str(values[f"{service}_{name}"]) for variable, name in names.items()}
    # Nomad refuses a job that starts outside its bounds, even where the number that runs will stay.
    least, most = values[f"{service}_instances_min"], values[f"{service}_instances_max"]
    first = min(max(values[f"{service}_instances"], least), most)
    return {**sizes, "instances": str(first), "scaling_enabled": json.dumps(settings.scaling_enabled)}


def application_settings(settings: Settings, stores: Stores) -> str:
    """Lines NAME="VALUE". What the stack says wins over what is worked out here."""
    values = {
        "UPSCHEDULE_WEB_PUBLIC_URL": settings.public_url,
        "UPSCHEDULE_WEB_TRUSTED_PROXIES": settings.proxy_networks,
        "UPSCHEDULE_OBJECTS_ENDPOINT": stores.object_store_endpoint,
        "UPSCHEDULE_OBJECTS_SECURE": json.dumps(stores.object_store_secure),
        "UPSCHEDULE_CONSUL_ADDRESS": f"http://{settings.consul_address}",
        # PgBouncer holds the connections to PostgreSQL that all instances share (R3.1).
        "UPSCHEDULE_POSTGRES_POOL_SIZE_MIN": "4",
        "UPSCHEDULE_POSTGRES_POOL_SIZE_MAX": "40",
        **chosen_settings(settings),
    }
    return "".join(f"{name}={json.dumps(value)}\n" for name, value in values.items())


def process_secrets(process: str, secrets: Secrets, stores: Stores) -> Secrets:
    """Its own names and passwords; the key of feed addresses is the API's alone (decision 16)."""
    access = stores.processes[process]
    return {
        "authority": stores.authority,
        "UPSCHEDULE_POSTGRES_URL": access.postgres_url,
        "UPSCHEDULE_REDIS_STATE_URL": access.redis_state_url,
        "UPSCHEDULE_REDIS_CACHE_URL": access.redis_cache_url,
        "UPSCHEDULE_OBJECTS_ACCESS_KEY": access.uploads.access_key,
        "UPSCHEDULE_OBJECTS_SECRET_KEY": access.uploads.secret_key,
        **({"UPSCHEDULE_WEB_FEED_SECRET": secrets["feedSecret"]} if process == "api" else {}),
        "UPSCHEDULE_CONSUL_TOKEN": secrets["applicationConsulToken"],
    }


def waiting(secrets: Secrets) -> Secrets:
    """For the task that waits until the release is prepared."""
    return {name: secrets[name] for name in ("authority", "UPSCHEDULE_POSTGRES_URL")}


def secrets_fingerprint(secrets: Secrets) -> pulumi.Output[str]:
    """Of secrets too long to be guessed from it, so it is none itself and a preview shows that it changes."""

    def digest(values: Mapping[str, str]) -> str:
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]

    return pulumi.Output.unsecret(pulumi.Output.all(**secrets).apply(digest))


def object_store_url(stores: Stores) -> str:
    return f"{'https' if stores.object_store_secure else 'http'}://{stores.object_store_endpoint}"
