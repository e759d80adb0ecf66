"""Traefik, the only service with a public address."""

from collections.abc import Collection, Mapping
from typing import Annotated

import msgspec
import pulumi

from components.service import JOBS, Service, ServiceArgs
from config import Address, Megabytes, Port, Text, Url, certificate_problem, key_problem
from parts.cluster import Cluster

SECRETS = ("traefikConsulToken",)
OPTIONAL_SECRETS = ("traefikCertificate", "traefikCertificateKey")
#: Secrets that are not passwords.
FORMS = {"traefikCertificate": certificate_problem, "traefikCertificateKey": key_problem}


class EdgeConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Settings of Traefik. Paths are as a task sees them. With `acmeEmail` Traefik gets a certificate for `domain`."""

    traefik_program: Text
    http_port: Port = 80
    https_port: Port = 443
    domain: str = ""
    # Comma-separated networks of load balancers before Traefik.
    trusted_ips: str = ""
    hsts_seconds: Annotated[int, msgspec.Meta(ge=0)] = 31_536_000
    acme_email: str = ""
    acme_server: Url = "https://acme-v02.api.letsencrypt.org/directory"
    acme_ca_certificate: str = ""
    acme_certificates_duration_hours: Annotated[int, msgspec.Meta(ge=1)] = 2160
    traefik_volume: Text = "traefik"
    # Enough for 9,000 open pages.
    traefik_memory_mb: Megabytes = 2048
    consul_address: Address = "127.0.0.1:8500"


def certificate_problems(settings: EdgeConfig, secrets: Collection[str]) -> dict[str, str]:
    """Checks that a certificate comes either from the stack or from ACME."""
    present = [name for name in OPTIONAL_SECRETS if name in secrets]
    if not settings.acme_email:
        missing = [name for name in OPTIONAL_SECRETS if name not in present]
        return dict.fromkeys(missing, "is missing; set it with --secret, or acmeEmail and domain for ACME")
    problems = dict.fromkeys(present, "cannot be set beside acmeEmail, which gets a certificate by ACME")
    if not settings.domain:
        problems["domain"] = "is missing; ACME needs a name to get a certificate for"
    return problems


def define(cluster: Cluster, settings: EdgeConfig, secrets: Mapping[str, pulumi.Output[str]]) -> None:
    """Defines Traefik, which routes to the instances that are healthy in Consul (R8.3, R8.4, R10.4, R10.5)."""
    items = {"consul_token": secrets["traefikConsulToken"]}
    if not settings.acme_email:
        items |= {"certificate": secrets["traefikCertificate"], "key": secrets["traefikCertificateKey"]}
    Service(
        "traefik",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={**cluster.common("traefik"), **traefik_variables(settings)},
            secrets=items,
        ),
    )


def traefik_variables(settings: EdgeConfig) -> dict[str, str]:
    """The variables of the job file."""
    return {
        "program": settings.traefik_program,
        "http_port": str(settings.http_port),
        "https_port": str(settings.https_port),
        "domain": settings.domain,
        "trusted_ips": settings.trusted_ips,
        "hsts_seconds": str(settings.hsts_seconds),
        "acme_email": settings.acme_email,
        "acme_server": settings.acme_server,
        "acme_ca_certificate": settings.acme_ca_certificate,
        "acme_certificates_duration_hours": str(settings.acme_certificates_duration_hours),
        "volume": settings.traefik_volume,
        "memory_mb": str(settings.traefik_memory_mb),
        "consul_address": settings.consul_address,
        "routes": (JOBS / "traefik" / "routes.yml.tpl").read_text(encoding="utf-8"),
        "faults_plugin": (JOBS / "traefik" / "faults.go").read_text(encoding="utf-8"),
    }
