"""Prometheus, and the autoscaler, which sets the number of instances by its figures."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import pulumi

from components.access import AccessToken, autoscaler_rules
from components.service import Service, ServiceArgs
from config import Megabytes, Port, Text
from parts import alerting
from parts.cluster import Cluster

# The program itself creates the autoscaler's token.
SECRETS = ("prometheusConsulToken",)
RULES = Path(__file__).resolve().parents[2] / "monitoring" / "rules"
#: The rules that say what one instance serves.
CAPACITY = "capacity.yml"

Count = Annotated[int, msgspec.Meta(ge=1)]


class MonitoringConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Settings of Prometheus and the autoscaler. Paths are as a task sees them."""

    prometheus_program: Text = "/usr/bin/prometheus"
    prometheus_volume: Text = "prometheus"
    prometheus_port: Port = 9090
    prometheus_memory_mb: Megabytes = 512
    prometheus_keep_days: Count = 40
    prometheus_keep_mb: Megabytes = 16_384
    scrape_seconds: Count = 5
    # Of agents, exporters and probes.
    source_seconds: Count = 15
    autoscaler_program: Text = "/usr/bin/nomad-autoscaler"
    autoscaler_cooldown_seconds: Count = 20
    # What one instance serves: requests a second by the capacity model, and jobs that are due or being read.
    api_requests_per_instance: Count = 112
    worker_jobs_per_instance: Count = 10
    # Address at which a task reaches the agent of its own node.
    nomad_address: Text = "http://127.0.0.1:4646"
    nomad_ca_file: str = ""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Targets of Prometheus other than those that Consul names. `redis_servers` are HOST:PORT by service.

    `absent` are optional parts that the stack does not have: an alert about the last sign of life of a part would fire
    for as long as it looks back after the part is removed.
    """

    consul_address: str
    edge_url: str
    redis_servers: Mapping[str, str]
    absent: Collection[str]


def address(cluster: Cluster, settings: MonitoringConfig) -> str:
    """HOST:PORT of Prometheus."""
    return f"{cluster.host('prometheus')}:{settings.prometheus_port}"


def rules(absent: Collection[str], settings: MonitoringConfig) -> dict[str, str]:
    """Texts of the files of rules, by name, without those about `absent` parts of the stack."""
    files = [file for file in sorted(RULES.glob("*.yml")) if file.stem not in absent]
    texts = {file.name: file.read_text(encoding="utf-8") for file in files}
    own = {
        "upschedule:api:requests_per_instance": settings.api_requests_per_instance,
        "upschedule:worker:jobs_per_instance": settings.worker_jobs_per_instance,
    }
    for record, number in own.items():
        texts[CAPACITY] = _with_constant(texts[CAPACITY], record, number)
    return texts


def _with_constant(text: str, record: str, number: int) -> str:
    changed, count = re.subn(rf"(- record: {record}\s+expr: vector)\(\d+\)", rf"\g<1>({number})", text)
    if count != 1:
        raise ValueError(f"{CAPACITY} must have one rule that sets {record} to a number; it has {count}.")
    return changed


def define(
    cluster: Cluster,
    settings: MonitoringConfig,
    secrets: Mapping[str, pulumi.Output[str]],
    sources: Sources,
    alerts: alerting.AlertingConfig,
) -> None:
    """Defines Prometheus (R6.2) and the autoscaler that queries it (R1.3, R10.1, R10.2)."""
    Service(
        "prometheus",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={
                **cluster.common("prometheus"),
                "program": settings.prometheus_program,
                "volume": settings.prometheus_volume,
                "port": str(settings.prometheus_port),
                "memory_mb": str(settings.prometheus_memory_mb),
                "keep_days": str(settings.prometheus_keep_days),
                "keep_mb": str(settings.prometheus_keep_mb),
                "scrape_seconds": str(settings.scrape_seconds),
                "source_seconds": str(settings.source_seconds),
                "consul_address": sources.consul_address,
                "nomad_scheme": settings.nomad_address.partition("://")[0],
                "nomad_ca_file": settings.nomad_ca_file,
                "redis_servers": json.dumps(sources.redis_servers),
                "edge_url": sources.edge_url,
                "rules": json.dumps(rules(sources.absent, settings)),
                "runbooks_url": alerts.runbooks_url,
                "alertmanager_address": alerting.address(cluster, alerts),
            },
            secrets={"consul_token": secrets["prometheusConsulToken"]},
        ),
    )
    name = cluster.settings.namespace
    access = AccessToken("autoscaler", title=f"{name}-autoscaler", rules=autoscaler_rules(name))
    Service(
        "autoscaler",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={
                **cluster.common("autoscaler"),
                "program": settings.autoscaler_program,
                "nomad_address": settings.nomad_address,
                "nomad_ca_file": settings.nomad_ca_file,
                "prometheus_address": f"http://{address(cluster, settings)}",
                "evaluation_seconds": str(settings.scrape_seconds),
                "cooldown_seconds": str(settings.autoscaler_cooldown_seconds),
            },
            secrets={"nomad_token": access.token},
        ),
    )
