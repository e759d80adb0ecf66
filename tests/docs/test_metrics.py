"""Each metric that `metrics.py` declares is measured somewhere, and each one that a document names is declared."""

import ast
import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from tests.support.paths import ROOT
from upschedule import metrics

DECLARED = {name: metric for name, metric in vars(metrics).items() if isinstance(metric, MetricWrapperBase)}
NAME = re.compile(r"`(upschedule_\w+)")


def _measured_in(path: Path) -> set[str]:
    """Names on which a method is called, as in `JOBS_SWEPT.labels(…)`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = (node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {owner.id for owner in used if isinstance(owner, ast.Name)}


def test_every_declared_metric_is_measured() -> None:
    """A metric that nothing sets stays 0 for ever, and an alert on it never fires (R6.2)."""
    measured = set[str]().union(*map(_measured_in, (ROOT / "src/upschedule").rglob("*.py")))

    assert DECLARED
    assert not DECLARED.keys() - measured


def test_metrics_are_declared_in_one_place() -> None:
    """Whoever looks for a metric opens one file."""
    makers = re.compile(r"prometheus_client import .*\b(Counter|Gauge|Histogram|Summary|Info|Enum)\b")
    sources = (ROOT / "src/upschedule").rglob("*.py")

    assert [path.name for path in sources if makers.search(path.read_text(encoding="utf-8"))] == ["metrics.py"]


def test_documents_name_declared_metrics_only() -> None:
    """Whoever copies a name from a page into a query gets numbers."""
    exposed = {family.name for metric in DECLARED.values() for family in metric.describe()}
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    named = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in NAME.findall(pages)}

    assert named
    assert not named - exposed
