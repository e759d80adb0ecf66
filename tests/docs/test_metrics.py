"""`docs/metrics.md` says what `metrics.py` declares, and what is asked for by name is declared there."""

import ast
import re

from tests.support.paths import ROOT
from tools import metrics_page
from upschedule import metrics

PACKAGE = ROOT / "src/upschedule"
#: Rules and their tests, dashboards, scaling policies, pages and runbooks.
READERS = (
    *(ROOT / "monitoring").rglob("*.yml"),
    *(ROOT / "monitoring").rglob("*.json"),
    *(ROOT / "jobs").glob("*.nomad.hcl"),
    *(ROOT / "docs").rglob("*.md"),
)
# Neither a recorded series (`canary:upschedule_…:ratio1m`) nor a name of PostgreSQL, Nomad or Linux.
NAME = re.compile(r"(?<![\w:./-])upschedule_[a-z0-9_]+(?![\w:./-])")
ROLES = {f"upschedule_{name}" for name in ("api", "worker", "scheduler", "app", "owner", "backup", "monitor")}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": (), "gauge": ()}


def test_every_metric_is_on_the_page() -> None:
    """The page is written by `python -m tools.metrics_page`; a metric changed without it is found here."""
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == metrics_page.render()


def test_every_metric_has_unit_sentence_and_a_name_that_says_its_unit() -> None:
    """Prometheus' own rules require this: a counter ends in `_total`, and times are in seconds."""
    declared = metrics.declarations()

    assert len({metric.name for metric in declared}) == len(declared)
    for metric in declared:
        assert metric.unit
        assert metric.sentence[0].isupper() or metric.sentence[0].isdigit()
        assert metric.name.endswith("_seconds") == (metric.unit == "seconds")
        assert metric.name.endswith("_total") == (metric.kind == "counter")


def test_metrics_are_created_in_one_module_only() -> None:
    """Elsewhere nothing of prometheus_client is imported that can create one."""
    makers = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}
    found = [
        f"{path.relative_to(ROOT)}: {alias.name}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prometheus_client")
        for alias in node.names
        if alias.name in makers and path != PACKAGE / "metrics.py"
    ]

    assert found == []


def test_every_metric_that_is_named_is_declared() -> None:
    """A misspelt name in a rule or a runbook is no error of Prometheus: it has no value, and no alert fires."""
    known = {f"{metric.name}{suffix}" for metric in metrics.declarations() for suffix in ("", *SUFFIXES[metric.kind])}
    unknown = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in READERS
        for name in NAME.findall(path.read_text(encoding="utf-8"))
        if name not in known | ROLES
    }

    assert unknown == set()
