"""What every part of the system shares."""

from dataclasses import dataclass

import msgspec
import pulumi

from config import Text


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of the whole stack."""

    namespace: Text = "upschedule"
    datacenters: Text = "*"
    # A task of service NAME runs as the user of this name before NAME; nodes must know them all.
    user_prefix: str = "upschedule-"
    # Where services with a fixed port are, when it is not NAME.service.consul, as Consul's DNS says.
    service_host: str = ""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """`namespace` waits until it exists."""

    namespace: pulumi.Input[str]
    settings: Settings

    def common(self, service: str) -> dict[str, pulumi.Input[str]]:
        """The variables that every job file declares."""
        return {"datacenters": self.settings.datacenters, "user": f"{self.settings.user_prefix}{service}"}

    def host(self, service: str) -> str:
        """Of a service with a fixed port: it outlives every instance."""
        return self.settings.service_host or f"{service}.service.consul"
