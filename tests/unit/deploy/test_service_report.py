"""Panels and charts of the report. `tests/cluster/tooling/test_service_report.py` makes one from a real Prometheus."""

import math
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from upschedule.deploy.service_report.charts import LINES_MAX, chart, highest, text_of
from upschedule.deploy.service_report.panels import DashboardsUnreadable, Query, dashboards


def test_every_panel_of_the_project_has_a_title_and_a_query() -> None:
    found = dashboards(ROOT / "monitoring" / "dashboards")
    assert len({each.title for each in found}) == len(found)
    panels = [panel for each in found for panel in each.panels]
    assert panels
    assert all(panel.title and panel.queries for panel in panels)


def test_a_folder_without_dashboards_or_with_a_broken_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DashboardsUnreadable, match="--dashboards"):
        dashboards(tmp_path)
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    with pytest.raises(DashboardsUnreadable, match="cannot be read"):
        dashboards(tmp_path)


@pytest.mark.parametrize(
    ("legend", "labels", "name"),
    [
        ("{{service}} {{ alloc }}", {"service": "api", "alloc": "a1"}, "api a1"),
        ("half within", {}, "half within"),
        ("{{missing}}", {"service": "api"}, "service api"),
        ("", {}, "value"),
    ],
)
def test_a_series_is_named_by_its_legend(legend: str, labels: dict[str, str], name: str) -> None:
    assert Query(expression="up", legend=legend).name_of(labels) == name


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.25, "s", "250 ms"),
        (90, "s", "90 s"),
        (0, "bytes", "0 B"),
        (3 * 1024**3, "bytes", "3 GiB"),
        (0.999, "percentunit", "99.9 %"),
        (80, "percent", "80 %"),
        (1.5, "reqps", "1.5/s"),
        (12, "none", "12"),
        (12, "a unit that Grafana adds later", "12"),
    ],
)
def test_a_value_is_written_with_its_unit(value: float, unit: str, text: str) -> None:
    assert text_of(value, unit) == text


def test_the_lines_with_the_highest_peaks_are_drawn() -> None:
    series = {f"line {number}": [(0.0, float(number)), (60.0, math.nan)] for number in range(LINES_MAX + 5)}
    assert set(highest(series)) == {f"line {number}" for number in range(5, LINES_MAX + 5)}


def test_a_chart_is_text_without_a_script_and_names_its_lines() -> None:
    drawn = chart({"<b>": [(0.0, 1.0), (60.0, 2.0)]}, unit="s", begin=0, end=60)
    assert drawn.startswith("<svg")
    assert "<script" not in drawn
    assert "&lt;b&gt;" in drawn
