"""`upschedule ops report` with a real Prometheus: each panel has its data, and an unreachable scheduler is named."""

import json
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from tests.support.cluster.tooling.prometheus_server import measuring
from tests.support.servers import wait_until
from upschedule.cli import main
from upschedule.operations.embedded.ports import free_port


def a_dashboard(folder: Path) -> Path:
    folder.mkdir()
    panels = [
        {"title": title, "targets": [{"expr": expression, "legendFormat": "{{job}}"}]}
        for title, expression in (("Targets", "up"), ("Empty", "a_metric_that_nothing_exports"))
    ]
    folder.joinpath("one.json").write_text(json.dumps({"title": "Own", "panels": panels}), encoding="utf-8")
    return folder


def test_the_last_hours_become_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSCHEDULE_OPS_ADDRESS", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("UPSCHEDULE_OPS_TOKEN", "none")
    targets, output = tmp_path / "targets.json", tmp_path / "report.html"
    with measuring(tmp_path, targets) as prometheus:
        own = [{"targets": [prometheus.removeprefix("http://")], "labels": {"job": "prometheus-of-the-test"}}]
        targets.write_text(json.dumps(own), encoding="utf-8")
        asked = f"{prometheus}/api/v1/query"
        wait_until(lambda: bool(httpx.get(asked, params={"query": "up"}).json()["data"]["result"]))
        words = ["--prometheus", prometheus, "--hours", "0.1", "--output", str(output)]
        words += ["--dashboards", str(a_dashboard(tmp_path / "dashboards"))]
        result = CliRunner().invoke(main, ["ops", "report", *words])
        assert result.exit_code == 0, result.output
        refused = CliRunner().invoke(main, ["ops", "report", *words, "--dashboards", str(tmp_path / "nothing")])
        assert refused.exit_code == 69
        assert "--dashboards" in refused.output
    page = output.read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert "prometheus-of-the-test" in page
    assert page.count("No data in these hours.") == 1
    assert "No scheduler answered" in page
    assert "Not known, since no scheduler answered." in page
    assert "<script" not in page
    assert 'src="http' not in page
