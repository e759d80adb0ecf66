"""What watches the system finds what it watches (R6.2, R10.1, R10.2)."""

import pytest

from tests.support.cluster.program.configurations import REQUIRED
from tests.support.cluster.program.recorded_engine import token_of
from tests.support.cluster.program.whole_program import up
from tests.support.paths import ROOT

RULES = ROOT / "monitoring" / "rules.yml"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "http://prometheus.service.consul:9090"),
        ({"prometheusPort": "19090"}, "http://prometheus.service.consul:19090"),
        ({"serviceHost": "127.0.0.1"}, "http://127.0.0.1:9090"),
    ],
)
def test_the_autoscaler_asks_prometheus_where_it_is(settings: dict[str, str], expected: str) -> None:
    """On the port that it was given."""
    ran = up({**REQUIRED, **settings})

    assert ran.variables("autoscaler")["prometheus_address"] == expected
    assert expected.endswith(f":{ran.variables('prometheus')['port']}")


def test_the_autoscaler_looks_as_often_as_there_are_new_figures() -> None:
    """More often it would decide twice on the same ones."""
    ran = up({**REQUIRED, "scrapeSeconds": "7", "autoscalerCooldownSeconds": "90"})

    assert ran.variables("prometheus")["scrape_seconds"] == "7"
    assert ran.variables("autoscaler")["evaluation_seconds"] == "7"
    assert ran.variables("autoscaler")["cooldown_seconds"] == "90"


def test_the_autoscaler_comes_with_a_token_made_for_it() -> None:
    """It is in its Variable alone, and speaks to the agent that the stack names (R8.1)."""
    ran = up({**REQUIRED, "nomadAddress": "https://127.0.0.1:4646", "nomadCaFile": "/etc/nomad-ca.pem"})
    given = ran.variables("autoscaler")

    assert ran.items["nomad/jobs/autoscaler"] == {"nomad_token": token_of("autoscaler")}
    assert ("AclToken", "autoscaler") in ran.of("Variable")["autoscaler"].after
    assert (given["nomad_address"], given["nomad_ca_file"]) == ("https://127.0.0.1:4646", "/etc/nomad-ca.pem")


def test_prometheus_has_the_rules_and_no_secret() -> None:
    """The alerts of this commit, not of the node."""
    ran = up()

    assert ran.variables("prometheus")["rules"] == RULES.read_text(encoding="utf-8")
    assert "nomad/jobs/prometheus" not in ran.items
