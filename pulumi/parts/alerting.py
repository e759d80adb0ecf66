"""Defines Alertmanager: its receivers and how it reaches them."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import pulumi

from components.service import Service, ServiceArgs
from config import Megabytes, Port, Text
from parts.alert_routing import Intervals, Receivers, configuration
from parts.cluster import Cluster

SECRETS = ()
OPTIONAL_SECRETS = ("alertSmtpPassword", "alertWebhookUrl", "alertWatchdogUrl")

Seconds = Annotated[int, msgspec.Meta(ge=1)]


def url_problem(secret: str) -> str | None:
    """None for an address that Alertmanager can send to."""
    try:
        parts = urlsplit(secret)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        known = False
    return None if known and secret.isprintable() and " " not in secret else "is no address that begins with https://"


#: Secrets that are not passwords: an address of a receiver holds its token.
FORMS = {"alertWebhookUrl": url_problem, "alertWatchdogUrl": url_problem}


class AlertingConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Settings of Alertmanager. Lists of addresses are separated by commas."""

    alertmanager_program: Text = "/usr/bin/prometheus-alertmanager"
    alertmanager_port: Port = 9093
    alertmanager_memory_mb: Megabytes = 128
    # HOST:PORT of the mail server.
    alert_smtp_address: str = ""
    alert_smtp_user: str = ""
    alert_smtp_tls: bool = True
    alert_mail_from: str = ""
    # Who is woken, and who reads it in the morning (empty: the same).
    alert_mail_to: str = ""
    alert_ticket_mail_to: str = ""
    # Says that no alert is sent, as on a developer's machine.
    alerts_unsent: bool = False
    # How long the first message waits for others of the same alert, and later ones.
    alert_group_seconds: Seconds = 10
    alert_regroup_seconds: Seconds = 60
    # After which a message is sent again while its alert lasts.
    alert_repeat_seconds: Seconds = 14_400
    alert_ticket_repeat_seconds: Seconds = 86_400
    # The outside receiver of the watchdog must alert when it hears nothing for several of these.
    alert_watchdog_seconds: Seconds = 60
    # Address of docs/runbooks/alerts as those on call can open it.
    runbooks_url: Text = "docs/runbooks/alerts"


def alerting_problems(settings: AlertingConfig, secrets: Mapping[str, str]) -> dict[str, str]:
    """Checks that alerts have a receiver, and that mail can be sent."""
    problems: dict[str, str] = {}
    mail, webhook = settings.alert_mail_to, secrets.get("alertWebhookUrl")
    if not mail and not webhook and not settings.alerts_unsent:
        problems["alertMailTo"] = (
            "is missing; without it and the secret alertWebhookUrl alerts reach no one (alertsUnsent: that is meant)"
        )
    if settings.alerts_unsent and (mail or webhook):
        problems["alertsUnsent"] = "contradicts alertMailTo or alertWebhookUrl"
    if mail or settings.alert_ticket_mail_to:
        needed = {"alertSmtpAddress": settings.alert_smtp_address, "alertMailFrom": settings.alert_mail_from}
        problems |= {name: "is missing; mail needs it" for name, value in needed.items() if not value}
    if settings.alert_smtp_user and not secrets.get("alertSmtpPassword"):
        problems["alertSmtpPassword"] = "is missing; alertSmtpUser needs it"
    if settings.alert_smtp_user and not settings.alert_smtp_tls:
        problems["alertSmtpTls"] = "must be true with alertSmtpUser: a password is not sent in the clear"
    return problems


def address(cluster: Cluster, settings: AlertingConfig) -> str:
    """HOST:PORT of Alertmanager."""
    return f"{cluster.host('alertmanager')}:{settings.alertmanager_port}"


def define(cluster: Cluster, settings: AlertingConfig, secrets: Mapping[str, pulumi.Output[str]]) -> None:
    """Defines Alertmanager, which sends Prometheus' alerts (R6.4, R6.5, R9.5)."""
    given: Any = {name: secrets[name] for name in OPTIONAL_SECRETS if name in secrets}
    known: pulumi.Output[dict[str, str]] = pulumi.Output.from_input(given)
    Service(
        "alertmanager",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={
                **cluster.common("alertmanager"),
                "program": settings.alertmanager_program,
                "port": str(settings.alertmanager_port),
                "memory_mb": str(settings.alertmanager_memory_mb),
                "external_url": f"http://{address(cluster, settings)}",
            },
            secrets={
                "configuration": pulumi.Output.secret(
                    known.apply(lambda texts: configuration(receivers(settings, texts), intervals(settings)))
                )
            },
        ),
    )


def receivers(settings: AlertingConfig, secrets: Mapping[str, str]) -> Receivers:
    """The receivers of alerts, from the settings and secrets of the stack."""
    return Receivers(
        smtp_address=settings.alert_smtp_address,
        smtp_user=settings.alert_smtp_user,
        smtp_password=secrets.get("alertSmtpPassword", ""),
        smtp_tls=settings.alert_smtp_tls,
        mail_from=settings.alert_mail_from,
        pages_to=settings.alert_mail_to,
        tickets_to=settings.alert_ticket_mail_to,
        webhook_url=secrets.get("alertWebhookUrl", ""),
        watchdog_url=secrets.get("alertWatchdogUrl", ""),
    )


def intervals(settings: AlertingConfig) -> Intervals:
    """The intervals between messages, from the settings of the stack."""
    return Intervals(
        group=settings.alert_group_seconds,
        regroup=settings.alert_regroup_seconds,
        repeat_pages=settings.alert_repeat_seconds,
        repeat_tickets=settings.alert_ticket_repeat_seconds,
        watchdog=settings.alert_watchdog_seconds,
    )
