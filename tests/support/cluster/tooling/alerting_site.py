"""A Prometheus with the rules of this commit and an Alertmanager with the configuration of the program."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx

from parts.alert_routing import Intervals, Receivers, configuration
from tests.support.cluster.tooling.alert_receivers import Hooks, receiving_hooks
from tests.support.cluster.tooling.authority import self_signed
from tests.support.cluster.tooling.metrics_server import MetricsServer, serving_metrics
from tests.support.cluster.tooling.prometheus_server import PROMETHEUS, running
from tests.support.mailbox import PASSWORD, USER, Mailbox, receiving_mail
from tests.support.paths import ROOT
from upschedule.operations.embedded.ports import LOOPBACK, free_port

ALERTMANAGER = "/usr/bin/prometheus-alertmanager"
RUNBOOKS = "https://runbooks.example.org/alerts"
PAGES, TICKETS = "on-call@example.org", "operations@example.org"
ALERTS_PATH, WATCHDOG_PATH = "/alerts/token-91c2", "/watchdog"


@dataclass(frozen=True, kw_only=True)
class AlertingSite:
    """`metrics` is the page of the one target."""

    metrics: MetricsServer
    mailbox: Mailbox
    hooks: Hooks
    prometheus: str
    alertmanager: str

    def alerts(self) -> dict[str, dict[str, Any]]:
        """What Alertmanager holds, by the name of the alert."""
        answer = httpx.get(f"{self.alertmanager}/api/v2/alerts", timeout=20).raise_for_status()
        return {alert["labels"]["alertname"]: alert for alert in answer.json()}


@contextmanager
def running_alerting(folder: Path, exporters: Mapping[str, str] | None = None) -> Iterator[AlertingSite]:
    """Intervals as on a cluster, but for those between messages of one group, which only make tests long.

    `exporters` has the addresses of further targets, by service: HOST:PORT, or with the path of another page.
    """
    certificate = self_signed(folder, "mail", "DNS:localhost")
    with ExitStack() as owned:
        metrics = owned.enter_context(serving_metrics())
        mailbox = owned.enter_context(receiving_mail(certificate))
        hooks = owned.enter_context(receiving_hooks())
        receivers = Receivers(
            smtp_address=mailbox.address,
            smtp_user=USER,
            smtp_password=PASSWORD,
            mail_from="alerts@example.org",
            pages_to=PAGES,
            tickets_to=TICKETS,
            webhook_url=hooks.url(ALERTS_PATH),
            watchdog_url=hooks.url(WATCHDOG_PATH),
        )
        alertmanager = f"{LOOPBACK}:{free_port()}"
        settings = folder / "alertmanager.yml"
        settings.write_text(configuration(receivers, Intervals(regroup=1, watchdog=2)), encoding="utf-8")
        command = [
            ALERTMANAGER,
            f"--config.file={settings}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={alertmanager}",
            "--cluster.listen-address=",
        ]
        ready = f"http://{alertmanager}/-/ready"
        trusting = {**os.environ, "SSL_CERT_FILE": str(certificate.certificate)}
        log = folder / "alertmanager.log"
        owned.enter_context(running(command, log, lambda: httpx.get(ready).status_code == 200, environment=trusting))
        prometheus = owned.enter_context(_prometheus(folder, metrics.port, alertmanager, exporters or {}))
        yield AlertingSite(
            metrics=metrics,
            mailbox=mailbox,
            hooks=hooks,
            prometheus=prometheus,
            alertmanager=f"http://{alertmanager}",
        )


def _targets(page: str, exporters: Mapping[str, str]) -> str:
    """One page as each of the application's services: without one of them `ServiceGone` would hold back others."""
    services = ("api", "worker", "scheduler")
    labels = [{"service": service, "alloc": service, "canary": "no"} for service in services]
    pages = [{"targets": [page], "labels": each} for each in labels]
    others = [{"targets": [at.partition("/")[0]], "labels": _labels(name, at)} for name, at in exporters.items()]
    return json.dumps(pages + others)


def _labels(name: str, at: str) -> dict[str, str]:
    """With the path and the query of the page where they are not Prometheus' own."""
    labels = {"service": name, "canary": "no"}
    path, _, query = at.partition("/")[2].partition("?")
    if path:
        labels["__metrics_path__"] = f"/{path}"
    return labels | {f"__param_{key}": value for key, value in parse_qsl(query)}


@contextmanager
def _prometheus(folder: Path, target: int, alertmanager: str, exporters: Mapping[str, str]) -> Iterator[str]:
    """It scrapes and evaluates as often as on a cluster."""
    configured, address = folder / "prometheus.yml", f"{LOOPBACK}:{free_port()}"
    configured.write_text(
        f"""
global:
  scrape_interval: 5s
  scrape_timeout: 5s
  evaluation_interval: 5s
  external_labels: {{runbooks: "{RUNBOOKS}"}}
rule_files: ["{ROOT}/monitoring/rules/*.yml"]
alerting:
  alert_relabel_configs: [{{regex: runbooks, action: labeldrop}}]
  alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]
scrape_configs:
  - job_name: services
    honor_labels: true
    static_configs: {_targets(f"{LOOPBACK}:{target}", exporters)}
""",
        encoding="utf-8",
    )
    command = [
        PROMETHEUS,
        f"--config.file={configured}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
    ]
    ready = f"http://{address}/-/ready"
    with running(command, folder / "prometheus.log", lambda: httpx.get(ready).status_code == 200):
        yield f"http://{address}"
