"""Writes `docs/metrics.md` from `metrics.py`: `python -m tools.metrics_page`, from the root of the repository."""

from pathlib import Path

from upschedule import metrics

PAGE = Path(__file__).parents[1] / "docs/metrics.md"
INTRODUCTION = """\
# Metrics of the application

Written from `src/upschedule/metrics.py` by `python -m tools.metrics_page`. [Measuring](monitoring.md) explains them.
Prometheus adds the labels `service`, `alloc`, `canary` and `instance` to each. A histogram has the series `NAME_bucket`
(with the label `le`), `NAME_sum` and `NAME_count`.

| metric | type | unit | labels | meaning |
|---|---|---|---|---|"""


def render() -> str:
    """The text of the page."""
    lines = [INTRODUCTION]
    for metric in metrics.declarations():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | {metric.sentence} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
