"""The one public address."""

from collections.abc import Mapping

import msgspec
import pulumi

from components.service import Service, ServiceArgs
from config import Port, Text
from parts.cluster import Cluster

SECRETS = ("traefikConsulToken",)


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Paths are those that a task sees on a node."""

    traefik_program: Text
    public_port: Port = 443
    consul_address: Text = "127.0.0.1:8500"


def define(cluster: Cluster, settings: Settings, secrets: Mapping[str, pulumi.Output[str]]) -> None:
    """Traefik, which routes to the instances that Consul calls healthy (R10.4, R10.5)."""
    Service(
        "traefik",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={
                **cluster.common("traefik"),
                "program": settings.traefik_program,
                "public_port": str(settings.public_port),
                "consul_address": settings.consul_address,
            },
            secrets={"consul_token": secrets["traefikConsulToken"]},
        ),
    )
