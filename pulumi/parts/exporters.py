"""The exporters that tell Prometheus about the stores, the machines and what visitors see of the service."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import msgspec
import pulumi

from components.service import JOBS, Service, ServiceArgs
from config import Text, certificate_problem
from parts.cluster import Cluster
from parts.identities import MONITOR, MONITOR_ROLE, derive_output

SECRETS = ()
#: PEM of the authority of Traefik's certificate; without it the public authorities.
OPTIONAL_SECRETS = ("edgeAuthority",)
FORMS = {"edgeAuthority": certificate_problem}
Secrets = Mapping[str, pulumi.Output[str]]
#: The database that every server has. The role may connect to no other, so it can read no row of the application.
_DATABASE = "postgres"
_AUTHORITY = "/secrets/authority.pem"


class ExportersConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Settings of the exporters. Paths are as a task sees them."""

    exporters_folder: Text = "/usr/bin"


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """`variables` of the job file besides those of all exporters, and its `secrets`."""

    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: Secrets = field(default_factory=dict[str, pulumi.Output[str]])


def define(
    cluster: Cluster, settings: ExportersConfig, secrets: Secrets, addresses: Mapping[str, str], *, nomad_ca_file: str
) -> None:
    """Defines one job for each exporter (R6.2). `addresses` are HOST:PORT of the stores."""
    exporters = {
        "postgres": Exporter(secrets=postgres_secrets(secrets, addresses["postgres"])),
        "pgbouncer": Exporter(secrets=pgbouncer_secrets(secrets, addresses)),
        "redis": Exporter(secrets=redis_secrets(secrets, addresses)),
        "node": Exporter(),
        "blackbox": Exporter(
            variables={"nomad_ca_file": nomad_ca_file},
            secrets={"authority": secrets.get("edgeAuthority", pulumi.Output.secret(""))},
        ),
    }
    for exporter, given in exporters.items():
        name = f"{exporter}-exporter"
        Service(
            name,
            ServiceArgs(
                namespace=cluster.namespace,
                file="exporter",
                variables={
                    **cluster.common(name),
                    "exporter": exporter,
                    "programs": settings.exporters_folder,
                    "pgbouncer_program": (JOBS / "exporter" / "pgbouncer.py").read_text(encoding="utf-8"),
                    **given.variables,
                },
                secrets=given.secrets,
            ),
        )


def postgres_secrets(secrets: Secrets, address: str) -> dict[str, pulumi.Output[str]]:
    password = derive_output(secrets["postgresApplicationPassword"], MONITOR)
    query = f"sslmode=verify-full&sslrootcert={_AUTHORITY}&connect_timeout=5"
    return {
        "environment": password.apply(
            lambda word: (
                f"DATA_SOURCE_NAME=postgresql://{MONITOR_ROLE}:{quote(word, safe='')}@{address}/{_DATABASE}?{query}"
            )
        ),
        "authority": secrets["storesAuthority"],
    }


def pgbouncer_secrets(secrets: Secrets, addresses: Mapping[str, str]) -> dict[str, pulumi.Output[str]]:
    """The variables that libpq and the exporter read: a password on the command line would be visible to all."""
    password = derive_output(secrets["postgresApplicationPassword"], MONITOR)
    host, _, port = addresses["pgbouncer"].rpartition(":")
    postgres_host, _, postgres_port = addresses["postgres"].rpartition(":")
    fixed = {
        "PGBOUNCER_HOST": host,
        "PGBOUNCER_PORT": port,
        "POSTGRES_HOST": postgres_host,
        "POSTGRES_PORT": postgres_port,
        "PGBOUNCER_USER": MONITOR_ROLE,
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": _AUTHORITY,
        "PGCONNECT_TIMEOUT": "5",
    }
    lines = "".join(f"{name}={value}\n" for name, value in fixed.items())
    return {
        "environment": password.apply(lambda word: f"{lines}PGPASSWORD={word}\n"),
        "authority": secrets["storesAuthority"],
    }


def redis_secrets(secrets: Secrets, addresses: Mapping[str, str]) -> dict[str, pulumi.Output[str]]:
    """The file in which the exporter looks up the password of each server that it is asked about."""
    words = pulumi.Output.all(
        derive_output(secrets["redisStatePassword"], MONITOR), derive_output(secrets["redisCachePassword"], MONITOR)
    )
    names = ("redis-state", "redis-cache")
    targets = [f"redis://{addresses[name]}" for name in names]
    return {"passwords": words.apply(lambda both: json.dumps(dict(zip(targets, both, strict=True))))}
