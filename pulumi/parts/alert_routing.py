"""Alertmanager's configuration: who gets which alert, how often, and which alert silences which."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: A dead store makes these fire as well; it is enough to hear of the store.
STORES_DOWN = "PostgresDown|RedisDown|StoreUnreachable|PgBouncerDown"
SYMPTOMS_OF_STORES = (
    "AnswersSlow|RequestsFailing|AvailabilityBudgetBurnsFast|AvailabilityBudgetBurnsSlowly|LatencyBudgetBurnsFast"
    "|LatencyBudgetBurnsSlowly|QueueWaitsLong|LeaseExpirations|SchedulerWithoutLeader|LimitsNotCounted|PoolExhausted"
    "|AutoscalerWithoutNumber|SyntheticStudentFails"
)
SERVICE_GONE = "ServiceGone|EdgeUnreachable"
SYMPTOMS_OF_SERVICES = (
    "RequestsFailing|SyntheticStudentFails|AvailabilityBudgetBurnsFast|AvailabilityBudgetBurnsSlowly|TargetDown"
    "|AutoscalerWithoutNumber|SchedulerWithoutLeader|QueueWaitsLong"
)


@dataclass(frozen=True, kw_only=True)
class Receivers:
    """The receivers of alerts; one with an empty text is not used. If `tickets_to` is empty, `pages_to` is used."""

    smtp_address: str = ""
    smtp_user: str = ""
    smtp_password: str = ""
    smtp_tls: bool = True
    mail_from: str = ""
    pages_to: str = ""
    tickets_to: str = ""
    webhook_url: str = ""
    watchdog_url: str = ""


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """Seconds. `group`: how long the first message waits for others of its group; `regroup`: for later ones."""

    group: int = 10
    regroup: int = 60
    repeat_pages: int = 4 * 3600
    repeat_tickets: int = 24 * 3600
    watchdog: int = 60


def configuration(receivers: Receivers, intervals: Intervals) -> str:
    """JSON, which is YAML as well. It holds secrets."""
    return json.dumps(
        {
            "global": {"resolve_timeout": "5m", **_smtp(receivers)},
            "route": _route(intervals),
            "inhibit_rules": _inhibitions(),
            "receivers": [
                _receiver("page", receivers, receivers.pages_to),
                _receiver("ticket", receivers, receivers.tickets_to or receivers.pages_to),
                {"name": "watchdog", **_webhook(receivers.watchdog_url, resolved=False)},
                {"name": "none"},
            ],
        },
        indent=1,
    )


def _smtp(receivers: Receivers) -> dict[str, Any]:
    if not receivers.smtp_address:
        return {}
    sending = {
        "smtp_smarthost": receivers.smtp_address,
        "smtp_from": receivers.mail_from,
        "smtp_require_tls": receivers.smtp_tls,
    }
    if not receivers.smtp_user:
        return sending
    return {**sending, "smtp_auth_username": receivers.smtp_user, "smtp_auth_password": receivers.smtp_password}


def _route(intervals: Intervals) -> dict[str, Any]:
    return {
        # An alert without a known severity is rather heard than lost.
        "receiver": "page",
        "group_by": ["alertname", "service"],
        "group_wait": f"{intervals.group}s",
        "group_interval": f"{intervals.regroup}s",
        "repeat_interval": f"{intervals.repeat_pages}s",
        "routes": [
            {
                "receiver": "watchdog",
                "matchers": ['alertname="Watchdog"'],
                "group_wait": "0s",
                "group_interval": f"{intervals.watchdog}s",
                # Sent again at every look at the group.
                "repeat_interval": f"{max(1, intervals.watchdog // 2)}s",
            },
            {"receiver": "none", "matchers": ['severity="none"']},
            {
                "receiver": "ticket",
                "matchers": ['severity="ticket"'],
                "repeat_interval": f"{intervals.repeat_tickets}s",
            },
        ],
    }


def _inhibitions() -> list[Mapping[str, Any]]:
    return [
        {
            "source_matchers": [f'alertname=~"{STORES_DOWN}"'],
            "target_matchers": [f'alertname=~"{SYMPTOMS_OF_STORES}"'],
        },
        {
            "source_matchers": [f'alertname=~"{SERVICE_GONE}"'],
            "target_matchers": [f'alertname=~"{SYMPTOMS_OF_SERVICES}"'],
        },
        # A fast burn is a slow one, too.
        {
            "source_matchers": ['alertname=~".+BudgetBurnsFast"'],
            "target_matchers": ['alertname=~".+BudgetBurnsSlowly"'],
            "equal": ["slo"],
        },
        # Replaced instances end and start, and the operator who releases is looking.
        {"source_matchers": ['alertname="ReleaseUnderWay"'], "target_matchers": ['during_release="quiet"']},
    ]


def _receiver(name: str, receivers: Receivers, to: str) -> dict[str, Any]:
    mail = [{"to": to, "send_resolved": True, "headers": {"Subject": _SUBJECT}, "text": _TEXT, "html": ""}]
    return {
        "name": name,
        **({"email_configs": mail} if to and receivers.smtp_address else {}),
        **_webhook(receivers.webhook_url, resolved=True),
    }


def _webhook(url: str, *, resolved: bool) -> dict[str, Any]:
    return {"webhook_configs": [{"url": url, "send_resolved": resolved}]} if url else {}


_SUBJECT = "[{{ .Status }}{{ with .CommonLabels.severity }} {{ . }}{{ end }}] {{ .GroupLabels.alertname }}"
# Plain text: readable on every telephone at night.
_TEXT = """\
{{ range .Alerts }}{{ .Status }}: {{ .Annotations.summary }}
Runbook: {{ .Annotations.runbook_url }}
Owner: {{ .Labels.owner }}
Since: {{ .StartsAt.Format "2006-01-02 15:04:05 MST" }}
{{ range .Labels.SortedPairs }}  {{ .Name }} = {{ .Value }}
{{ end }}Query: {{ .GeneratorURL }}

{{ end }}"""
