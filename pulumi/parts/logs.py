"""The log shipper, which sends the log lines of all allocations to a syslog receiver."""

from collections.abc import Collection, Mapping
from typing import Annotated

import msgspec
import pulumi

from components.access import AccessToken, log_shipper_rules
from components.service import JOBS, Service, ServiceArgs
from config import Megabytes, certificate_problem
from parts.cluster import Cluster
from parts.monitoring import MonitoringConfig
from parts.stores import ElsewhereAddress

# The program itself creates the token.
SECRETS = ()
#: PEM of the authority of the receiver's certificate; without it the public authorities.
OPTIONAL_SECRETS = ("logAuthority",)
FORMS = {"logAuthority": certificate_problem}

Seconds = Annotated[int, msgspec.Meta(ge=1)]


class LogsConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Settings of the log shipper. Without `logReceiver` there is none, and logs stay on the clients only."""

    log_receiver: ElsewhereAddress = ""
    log_tls: bool = True
    log_buffer_mb: Megabytes = 256
    log_every_seconds: Seconds = 5
    log_confirm_seconds: Seconds = 5


def log_problems(settings: LogsConfig, secrets: Collection[str]) -> dict[str, str]:
    """Checks that an authority is set only where it is used."""
    (authority,) = OPTIONAL_SECRETS
    if authority in secrets and not (settings.log_receiver and settings.log_tls):
        return {authority: "has no effect without logReceiver and logTls; remove it"}
    return {}


def define(
    cluster: Cluster, settings: LogsConfig, secrets: Mapping[str, pulumi.Output[str]], monitored: MonitoringConfig
) -> None:
    """Defines the log shipper (R6.3); it needs Nomad, and neither Consul nor a store."""
    if not settings.log_receiver:
        return
    name = cluster.settings.namespace
    access = AccessToken("log-shipper", title=f"{name}-log-shipper", rules=log_shipper_rules(name))
    Service(
        "log-shipper",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={
                **cluster.common("log-shipper"),
                "program": (JOBS / "log-shipper" / "ship.py").read_text(encoding="utf-8"),
                "nomad_address": monitored.nomad_address,
                "nomad_ca_file": monitored.nomad_ca_file,
                "receiver": settings.log_receiver,
                "tls": str(settings.log_tls).lower(),
                "buffer_mb": str(settings.log_buffer_mb),
                "every_seconds": str(settings.log_every_seconds),
                "confirm_seconds": str(settings.log_confirm_seconds),
            },
            secrets={
                "nomad_token": access.token,
                "authority": secrets.get("logAuthority", pulumi.Output.secret("")),
            },
        ),
    )
