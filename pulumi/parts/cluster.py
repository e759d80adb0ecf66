"""The settings and the namespace that all parts of the system use."""

from dataclasses import dataclass

import msgspec
import pulumi

from config import Text


class ClusterConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Settings of the whole stack."""

    namespace: Text = "upschedule"
    datacenters: Text = "*"
    # The tasks of service NAME run as user PREFIX + NAME; every node must have these users.
    user_prefix: str = "upschedule-"
    # Host of all services with a fixed port. Empty: NAME.service.consul, from Consul's DNS.
    service_host: str = ""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The cluster of the services. `namespace` is an output of the resource, so that services come after it."""

    namespace: pulumi.Input[str]
    settings: ClusterConfig

    def common(self, service: str) -> dict[str, pulumi.Input[str]]:
        """The variables that every job file declares."""
        return {"datacenters": self.settings.datacenters, "user": f"{self.settings.user_prefix}{service}"}

    def host(self, service: str) -> str:
        """The host of a service with a fixed port; it does not change with the instances."""
        return self.settings.service_host or f"{service}.service.consul"
