"""Which metrics the rules, the scaling policies, the dashboards and the runbooks name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.support.paths import ROOT

RULES = ROOT / "monitoring" / "rules"
DASHBOARDS = ROOT / "monitoring" / "dashboards"
_STRING = re.compile(r"\"[^\"]*\"")
_SELECTION = re.compile(r"\{[^}]*\}|\[[^\]]*\]")
_LABELS = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
#: A name that is no function: no parenthesis follows.
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*+(?!\s*\()")
_WORDS = {"and", "or", "unless", "bool", "offset"}
#: Queries of the autoscaler: in jobs/*.nomad.hcl, and those of a shared file in its table `scaling`.
_POLICY = re.compile(r'"(upschedule:\w+:wanted)"')
_TYPED = re.compile(r"promtool query instant \S+ '([^']*)'")


def names_in(expression: str) -> set[str]:
    """The metrics of an expression of Prometheus."""
    bare = _LABELS.sub(" ", _SELECTION.sub(" ", _STRING.sub(" ", expression)))
    return set(_NAME.findall(bare)) - _WORDS


def recorded() -> set[str]:
    """What the rules themselves record."""
    return {rule["record"] for _, rule in _rules() if "record" in rule}


def named() -> dict[str, set[str]]:
    """Each metric with where it is named."""
    places: dict[str, set[str]] = {}
    for place, expression in _expressions():
        for name in names_in(expression):
            places.setdefault(name, set()).add(place)
    return places


def dashboard_queries() -> list[tuple[str, str]]:
    """Each with its dashboard and panel."""
    files = sorted(DASHBOARDS.glob("*.json"))
    return [
        (f"{file.name}: {panel['title']}", target["expr"])
        for file in files
        for panel in msgspec.json.decode(file.read_bytes())["panels"]
        for target in panel["targets"]
    ]


def _expressions() -> Iterator[tuple[str, str]]:
    yield from dashboard_queries()
    for place, rule in _rules():
        yield f"{place}: {rule.get('alert') or rule.get('record')}", rule["expr"]
    for file in sorted((ROOT / "jobs").glob("*.nomad.hcl")):
        yield from ((file.name, query) for query in _POLICY.findall(file.read_text(encoding="utf-8")))
    for page in sorted((ROOT / "docs").rglob("*.md")):
        yield from ((page.name, query) for query in _TYPED.findall(page.read_text(encoding="utf-8")))


def _rules() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(RULES.glob("*.yml")):
        for rule in _groups(file):
            yield file.name, rule


def _groups(file: Path) -> Iterator[dict[str, Any]]:
    for group in msgspec.yaml.decode(file.read_text(encoding="utf-8"), type=dict[str, Any])["groups"]:
        yield from group["rules"]
