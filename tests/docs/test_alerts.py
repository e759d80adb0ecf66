"""Each alert says all that a person needs at night, has its page, and is tested."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.paths import ROOT
from upschedule.metrics import REQUEST_SECONDS

RULES = ROOT / "monitoring" / "rules"
TESTS = ROOT / "monitoring" / "tests"
PAGES = ROOT / "docs" / "runbooks" / "alerts"
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
SEVERITIES = {"page", "ticket", "none"}
OWNERS = {"application", "operations"}


def _rules() -> Iterator[dict[str, Any]]:
    for file in sorted(RULES.glob("*.yml")):
        for group in _yaml(file)["groups"]:
            yield from group["rules"]


def _yaml(file: Path) -> dict[str, Any]:
    return msgspec.yaml.decode(file.read_text(encoding="utf-8"), type=dict[str, Any])


ALERTS = {rule["alert"]: rule for rule in _rules() if "alert" in rule}


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_says_what_a_person_needs_at_night(name: str) -> None:
    """How urgent it is and whose, in one sentence, and where to read on."""
    rule = ALERTS[name]

    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["labels"]["owner"] in OWNERS
    assert rule["for"]
    assert re.fullmatch(r"[^.]([^.]|\.\S)*\.", rule["annotations"]["summary"])
    assert rule["annotations"]["runbook_url"] == f"{{{{ $externalLabels.runbooks }}}}/{name}.md"


def test_alerts_and_pages_are_pairs() -> None:
    """No alert without a page, and no page of an alert that was renamed."""
    assert {page.stem for page in PAGES.glob("*.md")} == ALERTS.keys()


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_a_page_has_its_sections_and_links_to_pages_that_exist(name: str) -> None:
    """In the order in which they are needed."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")

    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert all((PAGES / link).exists() for link in re.findall(r"\]\(([^)#]+)", text))
    assert {other for other in re.findall(r"`([A-Z][a-z]+[A-Z]\w+)`", text) if other[-1] != "S"} <= ALERTS.keys()


@pytest.mark.parametrize("name", sorted(ALERTS.keys() - {"Watchdog"}))
def test_an_alert_has_series_that_fire_and_series_that_do_not(name: str) -> None:
    """Promtool runs them (tests/cluster/tooling/test_scaling.py); the watchdog has none that do not."""
    cases = [
        alert["exp_alerts"]
        for file in TESTS.glob("*.yml")
        for case in _yaml(file)["tests"]
        for alert in case.get("alert_rule_test", [])
        if alert["alertname"] == name
    ]

    assert [case for case in cases if case]
    assert [case for case in cases if not case]


def test_a_threshold_of_an_objective_is_a_bound_of_its_histogram() -> None:
    """Between two bounds nothing would be counted, and everything would miss the objective."""
    text = (RULES / "slo.yml").read_text(encoding="utf-8")
    asked = re.findall(r'request_seconds_bucket\{[^}]*\{?[^}]*\}?[^}]*le="([\d.]+)"', text)
    ((family,),) = [list(REQUEST_SECONDS.labels("GET", "/").collect())]
    bounds = {sample.labels["le"] for sample in family.samples if "le" in sample.labels}

    assert set(asked) == {"0.1", "0.5"}
    assert set(asked) <= bounds
