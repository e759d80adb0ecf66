"""API, workers and scheduler, which run the same release."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
import pulumi
import pulumi_nomad as nomad

from components.access import OPERATOR_VARIABLE
from components.service import JOBS as JOB_FILES
from components.service import Service, ServiceArgs
from config import Address, Megabytes, Text
from guard import read_rollouts, record_what_runs, refuse_a_second_release, warn_of_drift
from parts.cluster import Cluster
from parts.identities import derive_output
from parts.release_settings import Accepted, accepted_settings, known_only, manifest_problem, setting_problems
from parts.stores import Stores
from upschedule.deploy import applied
from upschedule.operations.release.manifest import Manifest
from upschedule.settings.metadata import url_of
from upschedule.settings.servers import DEFAULT_REGION

SECRETS = ("feedSecret", "applicationConsulToken")
JOBS = ("api", "worker", "scheduler")
#: The scheduler needs a small share of the processor.
SCHEDULER_RESOURCES = {"cores": "0", "cpu": "200", "memory_mb": "256"}
#: Variables that are made of settings of the stack, and of secrets that a process gets as they are.
SETTING_SOURCES = {
    "UPSCHEDULE_WEB_PUBLIC_URL": "publicUrl",
    "UPSCHEDULE_WEB_TRUSTED_PROXIES": "proxyNetworks",
    "UPSCHEDULE_CONSUL_ADDRESS": "consulAddress",
    "UPSCHEDULE_OBJECTS_REGION": "objectStoreRegion",
}
OPERATOR_TOKEN = "UPSCHEDULE_SCHEDULER_OPERATOR_TOKEN"  # noqa: S105 - the name of a variable
RELEASE_SETTING = "UPSCHEDULE_ROLLOUT_RELEASE"
#: What a release that does not know the variable does.
NEUTRAL = {"UPSCHEDULE_OBJECTS_REGION": DEFAULT_REGION}
SECRET_SOURCES = {"UPSCHEDULE_WEB_FEED_SECRET": "feedSecret", "UPSCHEDULE_CONSUL_TOKEN": "applicationConsulToken"}
#: Variables that are made of the addresses and the credentials of the stores.
STORE_SETTINGS = ("UPSCHEDULE_OBJECTS_ENDPOINT", "UPSCHEDULE_OBJECTS_SECURE")
STORE_SECRETS = (
    "UPSCHEDULE_POSTGRES_URL",
    "UPSCHEDULE_REDIS_STATE_URL",
    "UPSCHEDULE_REDIS_CACHE_URL",
    "UPSCHEDULE_OBJECTS_ACCESS_KEY",
    "UPSCHEDULE_OBJECTS_SECRET_KEY",
)

Cores = Annotated[int, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Secrets = Mapping[str, pulumi.Input[str]]


class ApplicationConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Settings of the three services. Paths are as a task sees them. Without `release` none of the services is defined.

    `release` is the manifest in JSON, `releaseSource` the URL of the folder that its archives are in; empty: the bucket
    of the stack's own object store. `settings` are the application's, as an object: UPSCHEDULE_… to text.
    `…Cores` of 0 give a share of the processor instead, for machines with few cores.
    """

    release: str = ""
    release_source: Annotated[str, url_of("page")] = ""
    settings: str = "{}"
    public_url: Text
    domain: str = ""
    consul_address: Address = "127.0.0.1:8500"
    object_store_region: Text = DEFAULT_REGION
    # Networks that Traefik's instances are in.
    proxy_networks: Text = "127.0.0.1/32"
    python_program: Text = "/usr/bin/python3.11"
    release_volume: Text = "releases"
    postgres_programs: Text = "/usr/lib/postgresql/15/bin"
    api_instances: Count = 2
    # With two, the loss of an instance costs only the requests that it was answering.
    api_instances_min: Count = 2
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
    # A migration that blocks the running release for longer is cancelled. Statements that wait for it end after 10 s.
    migration_blocking_seconds: Count = 5
    # Before a release, where PostgreSQL is backed up by the stack (R12.5). Backups are daily and take up to two hours.
    release_backup_hours: Count = 26


def application_problems(settings: ApplicationConfig, secrets: Mapping[str, str]) -> dict[str, str]:
    """Checks the manifest, the application's settings as its release does, and bounds that must not cross."""
    problems = bound_problems(settings)
    if settings.release and (problem := manifest_problem(settings.release)):
        problems["release"] = problem
    try:
        chosen = parse_settings(settings)
    except msgspec.DecodeError as error:
        return problems | {"settings": f"must be an object of names and values: {error}"}
    if not settings.release or "release" in problems:
        return problems
    accepted = accepted_settings(parse_manifest(settings))
    if accepted is None:
        return problems
    return problems | setting_problems(
        accepted,
        chosen=chosen,
        derived={name: value for name, value in derived_settings(settings).items() if NEUTRAL.get(name) != value},
        secret={variable: secrets[name] for variable, name in SECRET_SOURCES.items() if name in secrets},
        provided=frozenset({*STORE_SETTINGS, *STORE_SECRETS}),
        sources=SETTING_SOURCES | SECRET_SOURCES,
    )


def bound_problems(settings: ApplicationConfig) -> dict[str, str]:
    """Finds bounds that cross: Nomad would refuse them only after other jobs had changed."""
    problems: dict[str, str] = {}
    if settings.api_instances_min > settings.api_instances_max:
        problems["apiInstancesMin"] = f"is above apiInstancesMax, {settings.api_instances_max}"
    if settings.worker_instances_min > settings.worker_instances_max:
        problems["workerInstancesMin"] = f"is above workerInstancesMax, {settings.worker_instances_max}"
    if settings.release_min_healthy_seconds >= settings.release_healthy_seconds:
        problems["releaseMinHealthySeconds"] = f"is not below releaseHealthySeconds, {settings.release_healthy_seconds}"
    return problems


def parse_manifest(settings: ApplicationConfig) -> Manifest:
    """The manifest of `release`, which must not be empty. Raises msgspec.DecodeError."""
    return msgspec.json.decode(settings.release, type=Manifest)


def parse_settings(settings: ApplicationConfig) -> dict[str, str]:
    """The application's settings as texts of environment variables. Raises msgspec.DecodeError."""
    values = msgspec.json.decode(settings.settings, type=dict[str, str | bool | int | float])
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


def ensure_no_other_release(settings: ApplicationConfig, namespace: str) -> None:
    """Call it before the first resource: Pulumi makes what was requested before an error. Raises ReleaseUnderWay."""
    if settings.release:
        manifest = parse_manifest(settings)
        refuse_a_second_release(manifest.version, lambda: read_rollouts(JOBS, namespace))
        warn_of_drift(manifest.version, JOBS, namespace)
        if not pulumi.runtime.is_dry_run():
            record_what_runs(JOBS, namespace)


def define(
    cluster: Cluster, settings: ApplicationConfig, secrets: Secrets, stores: Stores
) -> Sequence[pulumi.Resource]:
    """Defines API (R10.1), workers (R10.2) and scheduler. Returns their jobs."""
    if not settings.release:
        return ()
    manifest = parse_manifest(settings)
    accepted = accepted_settings(manifest)
    if accepted is None:
        pulumi.log.warn(f"Release {manifest.version} does not say which settings it accepts: they are not checked.")
    operator_token = derive_output(pulumi.Output.from_input(secrets["postgresApplicationPassword"]), "operators")
    own = {process: known_only(process_secrets(process, secrets, stores), accepted) for process in JOBS}
    own["scheduler"] |= known_only({OPERATOR_TOKEN: operator_token}, accepted)
    lines = application_settings(settings, stores, accepted)
    shared = {
        "release": release_variable(settings, manifest, stores, user=f"{cluster.settings.user_prefix}release"),
        "settings": lines,
        # Of all three: a release or a rotation changes the three jobs together.
        "secrets_fingerprint": secrets_fingerprint(
            {f"{process}/{name}": value for process, items in own.items() for name, value in items.items()}
        ),
    }
    api = define_api(cluster, settings, shared, own["api"], stores)
    worker = Service(
        "worker",
        ServiceArgs(
            namespace=cluster.namespace,
            file="background",
            variables={
                **cluster.common("worker"),
                "process": "worker",
                **shared,
                **scaling_variables(settings, "worker"),
            },
            task_secrets={"worker/work": own["worker"], "worker/wait": wait_task_secrets(own["worker"])},
        ),
    )
    scheduler = Service(
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
            task_secrets={
                "scheduler/schedule": own["scheduler"],
                "scheduler/wait": wait_task_secrets(own["scheduler"]),
            },
        ),
    )
    jobs = [each.job for each in (api, worker, scheduler)]
    nomad.Variable(
        "operators",
        namespace=cluster.namespace,
        path=OPERATOR_VARIABLE,
        items={"token": operator_token},
    )
    nomad.Variable(
        "applied",
        namespace=cluster.namespace,
        path=applied.PATH,
        items={
            "release": manifest.version,
            "secrets": shared["secrets_fingerprint"],
            "settings": hashlib.sha256(lines.encode()).hexdigest()[:12],
        },
        # Of the jobs, not of their components: what is said here has been registered.
        opts=pulumi.ResourceOptions(depends_on=jobs),
    )
    return jobs


def define_api(
    cluster: Cluster, settings: ApplicationConfig, shared: Secrets, application: Secrets, stores: Stores
) -> Service:
    """Defines the API, with the only task that can change tables and write backups."""
    # The keys of the object store are for dumps: a record returns to releases from before restore points.
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
        "migration_blocking_seconds": str(settings.migration_blocking_seconds),
        "backups_url": object_store_url(stores),
        "backups_region": stores.object_store_region,
        "restore_points": json.dumps(stores.backed_up),
        "backup_hours": str(settings.release_backup_hours),
        "domain": settings.domain,
    }
    return Service(
        "api",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={**cluster.common("api"), **shared, **scaling_variables(settings, "api"), **own},
            task_secrets={"api/serve": application, "api/prepare": prepare},
        ),
    )


def release_variable(settings: ApplicationConfig, manifest: Manifest, stores: Stores, *, user: str) -> str:
    """The variable `release` of all three jobs: JSON whose keys the job files describe."""
    source = settings.release_source.rstrip("/") or f"{object_store_url(stores)}/releases"
    return json.dumps(
        {
            "version": manifest.version,
            "environment": {"url": f"{source}/{manifest.environment.name}", "sha256": manifest.environment.sha256},
            "sources": {"url": f"{source}/{manifest.sources.name}", "sha256": manifest.sources.sha256},
            "volume": settings.release_volume,
            "user": user,
            "program": (JOB_FILES / "release" / "unpacked.py").read_text(encoding="utf-8"),
            "python": settings.python_program,
            "healthy_seconds": settings.release_healthy_seconds,
            "min_healthy_seconds": settings.release_min_healthy_seconds,
        }
    )


def scaling_variables(settings: ApplicationConfig, service: str) -> dict[str, str]:
    """The variables for the number of instances of a service, and for the resources of each."""
    values = msgspec.structs.asdict(settings)
    names = {"instances_min": "instances_min", "instances_max": "instances_max"}
    names |= {"cores": "cores", "cpu": "cpu_mhz", "memory_mb": "memory_mb"}
    sizes = {variable: str(values[f"{service}_{name}"]) for variable, name in names.items()}
    # Nomad refuses a job whose count is outside its bounds, even where `preserve_counts` replaces that count.
    least, most = values[f"{service}_instances_min"], values[f"{service}_instances_max"]
    first = min(max(values[f"{service}_instances"], least), most)
    return {**sizes, "instances": str(first), "scaling_enabled": json.dumps(settings.scaling_enabled)}


def application_settings(settings: ApplicationConfig, stores: Stores, accepted: Accepted) -> str:
    """Lines NAME="VALUE". The stack's `settings` override the values that are derived here."""
    derived = {
        **derived_settings(settings),
        "UPSCHEDULE_OBJECTS_ENDPOINT": stores.object_store_endpoint,
        "UPSCHEDULE_OBJECTS_SECURE": json.dumps(stores.object_store_secure),
    }
    if accepted and RELEASE_SETTING in accepted:
        # A release without a schema in its manifest is too old to know it.
        derived[RELEASE_SETTING] = parse_manifest(settings).version
    values = {**known_only(derived, accepted), **parse_settings(settings)}
    return "".join(f"{name}={json.dumps(value)}\n" for name, value in values.items())


def derived_settings(settings: ApplicationConfig) -> dict[str, str]:
    """The application's settings that follow from those of the stack."""
    return {
        "UPSCHEDULE_WEB_PUBLIC_URL": settings.public_url,
        "UPSCHEDULE_WEB_TRUSTED_PROXIES": settings.proxy_networks,
        "UPSCHEDULE_OBJECTS_REGION": settings.object_store_region,
        "UPSCHEDULE_CONSUL_ADDRESS": f"http://{settings.consul_address}",
        # PgBouncer holds the connections to PostgreSQL that all instances share (R3.1).
        "UPSCHEDULE_POSTGRES_POOL_SIZE_MIN": "4",
        "UPSCHEDULE_POSTGRES_POOL_SIZE_MAX": "40",
    }


def process_secrets(process: str, secrets: Secrets, stores: Stores) -> Secrets:
    """Names and passwords of one process; only the API has the key of feed addresses (decision 16)."""
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


def wait_task_secrets(secrets: Secrets) -> Secrets:
    """Secrets of the task that waits until the database is prepared for the release."""
    return {name: secrets[name] for name in ("authority", "UPSCHEDULE_POSTGRES_URL")}


def secrets_fingerprint(secrets: Secrets) -> pulumi.Output[str]:
    """A hash that changes with any of the secrets.

    It is not secret itself, so that a preview shows the change: the secrets are too long to be guessed from it.
    """

    def hash_of(values: Mapping[str, str]) -> str:
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]

    return pulumi.Output.unsecret(pulumi.Output.all(**secrets).apply(hash_of))


def object_store_url(stores: Stores) -> str:
    return f"{'https' if stores.object_store_secure else 'http'}://{stores.object_store_endpoint}"
