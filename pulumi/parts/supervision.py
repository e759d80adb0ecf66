"""The supervisor, which watches each release after its promotion and reverts a bad one."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
import pulumi

from components.access import AccessToken, supervisor_rules
from components.service import Service, ServiceArgs
from parts import monitoring
from parts.application import ApplicationConfig, parse_manifest, release_variable
from parts.cluster import Cluster
from parts.monitoring import MonitoringConfig
from parts.stores import Stores
from upschedule.deploy.supervision.limits import WatchLimits

# The program itself creates the supervisor's token.
SECRETS = ()
_LIMITS = WatchLimits()

Ratio = Annotated[float, msgspec.Meta(gt=0, le=1)]
Seconds = Annotated[int, msgspec.Meta(ge=1)]


class SupervisionConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The limits of the watch, as `upschedule.deploy.supervision.limits` explains them."""

    watch_seconds: Seconds = round(_LIMITS.seconds)
    watch_baseline_seconds: Seconds = round(_LIMITS.baseline_seconds)
    watch_slice_seconds: Seconds = round(_LIMITS.slice_seconds)
    watch_restarts_max: Annotated[int, msgspec.Meta(ge=0)] = _LIMITS.restarts_max
    watch_faults_max: Ratio = _LIMITS.faults_max
    watch_faults_more_max: Ratio = _LIMITS.faults_more_max
    watch_slower_max: Ratio = _LIMITS.slower_max
    watch_slower_more_max: Ratio = _LIMITS.slower_more_max
    watch_false_alarm_max: Ratio = _LIMITS.false_alarm_max


def define(
    cluster: Cluster,
    settings: SupervisionConfig,
    *,
    application: ApplicationConfig,
    monitored: MonitoringConfig,
    stores: Stores,
    after: Sequence[pulumi.Resource],
) -> None:
    """Defines the supervisor, registered `after` the jobs of the release: else it would not see that release yet."""
    if not application.release:
        return
    name = cluster.settings.namespace
    rules = supervisor_rules(name, release_volume=application.release_volume)
    access = AccessToken("supervisor", title=f"{name}-supervisor", rules=rules)
    Service(
        "supervisor",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={
                **cluster.common("supervisor"),
                "release": release_variable(
                    application, parse_manifest(application), stores, user=f"{cluster.settings.user_prefix}release"
                ),
                "nomad_address": monitored.nomad_address,
                "nomad_ca_file": monitored.nomad_ca_file,
                "prometheus_address": f"http://{monitoring.address(cluster, monitored)}",
                "limits": limit_lines(settings),
            },
            secrets={"nomad_token": access.token},
            after=after,
        ),
    )


def limit_lines(settings: SupervisionConfig) -> str:
    """The limits in the form of the job's variable `limits`."""
    values: Mapping[str, float] = msgspec.structs.asdict(settings)
    return "".join(f"UPSCHEDULE_{name.upper()}={value:g}\n" for name, value in values.items())
