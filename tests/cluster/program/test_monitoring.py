"""Prometheus, Alertmanager, exporters and the autoscaler get the right addresses (R6.2, R10.1, R10.2)."""

import json

import pytest
import yaml

from tests.support.cluster.program.configurations import GIVEN, REQUIRED, problems
from tests.support.cluster.program.recorded_engine import token_of
from tests.support.cluster.program.whole_program import RELEASED, up
from tests.support.paths import ROOT

RULES = ROOT / "monitoring" / "rules"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "http://prometheus.service.consul:9090"),
        ({"prometheusPort": "19090"}, "http://prometheus.service.consul:19090"),
        ({"serviceHost": "127.0.0.1"}, "http://127.0.0.1:9090"),
    ],
)
def test_the_autoscaler_asks_prometheus_where_it_is(settings: dict[str, str], expected: str) -> None:
    """The address has the port that the stack sets."""
    ran = up({**REQUIRED, **settings})

    assert ran.variables("autoscaler")["prometheus_address"] == expected
    assert expected.endswith(f":{ran.variables('prometheus')['port']}")


def test_the_autoscaler_looks_as_often_as_there_are_new_figures() -> None:
    """If it evaluated more often, it would decide twice on the same figures."""
    ran = up({**REQUIRED, "scrapeSeconds": "7", "autoscalerCooldownSeconds": "90"})

    assert ran.variables("prometheus")["scrape_seconds"] == "7"
    assert ran.variables("autoscaler")["evaluation_seconds"] == "7"
    assert ran.variables("autoscaler")["cooldown_seconds"] == "90"


def test_the_autoscaler_comes_with_a_token_made_for_it() -> None:
    """The token is only in its Variable, and the autoscaler uses it with the agent that the stack names (R8.1)."""
    ran = up({**REQUIRED, "nomadAddress": "https://127.0.0.1:4646", "nomadCaFile": "/etc/nomad-ca.pem"})
    variables = ran.variables("autoscaler")

    assert ran.items["nomad/jobs/autoscaler"] == {"nomad_token": token_of("autoscaler")}
    assert ("AclToken", "autoscaler") in ran.of("Variable")["autoscaler"].after
    assert (variables["nomad_address"], variables["nomad_ca_file"]) == ("https://127.0.0.1:4646", "/etc/nomad-ca.pem")


def test_prometheus_has_the_rules_and_a_token_that_reads_figures_of_consul() -> None:
    """The rules are those of this commit, not of the node. Prometheus gets no other secret (R8.1)."""
    ran = up(RELEASED)

    rules = json.loads(ran.variables("prometheus")["rules"])
    assert rules == {file.name: file.read_text(encoding="utf-8") for file in RULES.iterdir()}
    assert ran.items["nomad/jobs/prometheus"] == {"consul_token": GIVEN["prometheusConsulToken"]}


def test_a_stack_may_say_what_one_instance_serves() -> None:
    """All other rules stay as they are."""
    ran = up({**RELEASED, "apiRequestsPerInstance": "7", "workerJobsPerInstance": "3"})

    rules = json.loads(ran.variables("prometheus")["rules"])
    capacity = rules.pop("capacity.yml")
    found = {rule["record"]: rule["expr"] for rule in yaml.safe_load(capacity)["groups"][0]["rules"]}
    assert found == {
        "upschedule:api:requests_per_instance": "vector(7)",
        "upschedule:worker:jobs_per_instance": "vector(3)",
    }
    assert rules == {
        file.name: file.read_text(encoding="utf-8") for file in RULES.iterdir() if file.name != "capacity.yml"
    }


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("synthetic.yml", {**RELEASED, "syntheticMail": ""}),
        ("synthetic.yml", REQUIRED),
        ("logs.yml", {**RELEASED, "logReceiver": ""}),
    ],
    ids=["no account", "no release", "no receiver"],
)
def test_there_are_no_rules_about_a_part_that_the_stack_does_not_have(file: str, settings: dict[str, str]) -> None:
    """Such an alert looks at the last day, so it would fire for hours after the part was removed on purpose."""
    optional = {"synthetic.yml": "syntheticPassword", "logs.yml": "logAuthority"}
    secrets = {name: value for name, value in GIVEN.items() if name != optional[file] or settings == REQUIRED}
    rules = json.loads(up(settings, secrets).variables("prometheus")["rules"])

    assert {path.name for path in RULES.iterdir()} - rules.keys() == {file}


def test_prometheus_asks_the_servers_where_they_are() -> None:
    """These are the Nomad agents as tasks reach them, both Redis servers, and the public address."""
    ran = up({**REQUIRED, "nomadAddress": "https://127.0.0.1:4646", "redisStatePort": "16379", "sourceSeconds": "9"})
    variables = ran.variables("prometheus")

    assert (variables["nomad_scheme"], variables["edge_url"]) == ("https", REQUIRED["publicUrl"])
    assert (variables["source_seconds"], variables["consul_address"]) == ("9", "127.0.0.1:8500")
    assert json.loads(variables["redis_servers"]) == {
        "redis-state": "redis-state.service.consul:16379",
        "redis-cache": "redis-cache.service.consul:6380",
    }


def test_the_exporters_have_the_passwords_that_the_servers_know() -> None:
    """They are derived from the stack's secrets, so that no exporter has one of those (decision 16)."""
    ran = up()
    items = {name: ran.items[f"nomad/jobs/{name}-exporter"] for name in ("postgres", "pgbouncer", "redis")}
    word = ran.items["nomad/jobs/postgres"]["monitor_password"]

    assert ran.items["nomad/jobs/pgbouncer"]["monitor_password"] == word
    assert f"DATA_SOURCE_NAME=postgresql://upschedule_monitor:{word}@" in items["postgres"]["environment"]
    assert f"PGPASSWORD={word}\n" in items["pgbouncer"]["environment"]
    assert json.loads(items["redis"]["passwords"]) == {
        f"redis://redis-{use}.service.consul:{port}": ran.items[f"nomad/jobs/redis-{use}"]["monitor_password"]
        for use, port in (("state", 6379), ("cache", 6380))
    }


@pytest.mark.parametrize("own_authority", [True, False], ids=["own authority", "public authorities"])
def test_the_edge_is_probed_by_the_authority_of_its_certificate(own_authority: bool) -> None:  # noqa: FBT001 - a parameter
    """Without an authority of the stack, the probe trusts the public authorities."""
    secrets = GIVEN if own_authority else {name: value for name, value in GIVEN.items() if name != "edgeAuthority"}
    ran = up(secrets=secrets)

    assert ran.items["nomad/jobs/blackbox-exporter"] == {"authority": GIVEN["edgeAuthority"] if own_authority else ""}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "alertmanager.service.consul:9093"),
        ({"alertmanagerPort": "19093"}, "alertmanager.service.consul:19093"),
        ({"serviceHost": "127.0.0.1"}, "127.0.0.1:9093"),
    ],
)
def test_prometheus_sends_its_alerts_where_alertmanager_is(settings: dict[str, str], expected: str) -> None:
    """Links in Alertmanager's messages use the same address."""
    ran = up({**REQUIRED, **settings})

    assert ran.variables("prometheus")["alertmanager_address"] == expected
    assert ran.variables("alertmanager")["external_url"] == f"http://{expected}"


def test_alertmanager_gets_the_receivers_of_the_stack_in_its_variable_alone() -> None:
    """The configuration contains a password and addresses with tokens (R8.2)."""
    ran = up({**REQUIRED, "alertTicketMailTo": "morning@example.org", "alertRepeatSeconds": "600"})
    items = ran.items["nomad/jobs/alertmanager"]
    written = json.loads(items["configuration"])
    receivers = {each["name"]: each for each in written["receivers"]}

    assert items.keys() == {"configuration"}
    assert written["global"]["smtp_smarthost"] == "mail.example.org:587"
    assert written["global"]["smtp_auth_password"] == GIVEN["alertSmtpPassword"]
    assert written["global"]["smtp_require_tls"] is True
    assert [mail["to"] for mail in receivers["page"]["email_configs"]] == ["operations@example.org"]
    assert [mail["to"] for mail in receivers["ticket"]["email_configs"]] == ["morning@example.org"]
    assert receivers["page"]["webhook_configs"][0]["url"] == GIVEN["alertWebhookUrl"]
    assert receivers["watchdog"]["webhook_configs"][0]["url"] == GIVEN["alertWatchdogUrl"]
    assert written["route"]["repeat_interval"] == "600s"


def test_a_stack_that_sends_nothing_says_so() -> None:
    """Alertmanager then runs without receivers."""
    without = {name: value for name, value in REQUIRED.items() if not name.startswith("alert")}
    secrets = {name: value for name, value in GIVEN.items() if not name.startswith("alert")}
    ran = up({**without, "alertsUnsent": "true"}, secrets)
    written = json.loads(ran.items["nomad/jobs/alertmanager"]["configuration"])

    assert [each for each in written["receivers"] if each.keys() != {"name"}] == []
    assert set(problems(without, secrets)) == {"alertMailTo"}


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"alertSmtpAddress": ""}, {"alertSmtpAddress"}),
        ({"alertMailFrom": ""}, {"alertMailFrom"}),
        ({"alertSmtpTls": "false"}, {"alertSmtpTls"}),
        ({"alertsUnsent": "true"}, {"alertsUnsent"}),
    ],
)
def test_receivers_that_cannot_work_are_refused(settings: dict[str, str], wrong: set[str]) -> None:
    """The preview refuses them. Otherwise the first sign would be an alert that is never sent."""
    assert set(problems({**REQUIRED, **settings})) == wrong


def test_a_user_of_the_mail_server_needs_a_password() -> None:
    """The address of a receiver must be a complete URL."""
    secrets = {name: value for name, value in GIVEN.items() if name != "alertSmtpPassword"}

    assert set(problems(REQUIRED, secrets)) == {"alertSmtpPassword"}
    assert set(problems(REQUIRED, {**GIVEN, "alertWebhookUrl": "hooks.example.org"})) == {"alertWebhookUrl"}
