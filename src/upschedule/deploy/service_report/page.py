"""Puts the report together: asks Prometheus for each panel and fills the page in."""

import datetime as dt
import math
from collections.abc import Iterable
from importlib import resources

import msgspec
from minijinja import Environment

from upschedule.deploy.probe.metrics import Prometheus, Sample
from upschedule.deploy.service_report.charts import LINES_MAX, Points, chart, text_of
from upschedule.deploy.service_report.contents import Contents
from upschedule.deploy.service_report.panels import Dashboard, Panel

#: Points of a line: more would not be seen on the page.
_POINTS = 300
#: Prometheus scrapes every fifteen seconds.
_STEP_SECONDS_MIN = 15.0
_HOUR_SECONDS = 3600.0


class DrawnPanel(msgspec.Struct, frozen=True, kw_only=True):
    """A panel of the report.

    `svg` is empty if Prometheus has no data; `left_out` counts the lines that were not drawn.
    """

    title: str
    description: str
    svg: str
    left_out: int


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table."""

    name: str
    value: str


def build(prometheus: Prometheus, dashboards: Iterable[Dashboard], contents: Contents, *, hours: float) -> str:
    """The page, up to Prometheus' present time. Raises ServerUnreachable and ServerRefused."""
    end = prometheus.now() or dt.datetime.now(dt.UTC).timestamp()
    begin = end - hours * _HOUR_SECONDS
    template = resources.files("upschedule.deploy.service_report").joinpath("page.html").read_text(encoding="utf-8")
    environment = Environment(templates={"page.html": template})
    return environment.render_template(
        "page.html",
        begin=_minute(begin),
        end=_minute(end),
        hours=f"{hours:g}",
        status=contents.status,
        failures_known=contents.failures is not None,
        failures=[msgspec.structs.asdict(each) for each in contents.failures or ()],
        failures_left_out=contents.failures_left_out,
        backups=[msgspec.structs.asdict(each) for each in _backups(prometheus, now=end)],
        dashboards=[
            {
                "title": dashboard.title,
                "panels": [
                    msgspec.structs.asdict(_drawn(prometheus, panel, begin=begin, end=end))
                    for panel in dashboard.panels
                ],
            }
            for dashboard in dashboards
        ],
    )


def _drawn(prometheus: Prometheus, panel: Panel, *, begin: float, end: float) -> DrawnPanel:
    series: dict[str, Points] = {}
    step = max(_STEP_SECONDS_MIN, (end - begin) / _POINTS)
    for query in panel.queries:
        for found in prometheus.ranges(query.expression, begin=begin, end=end, step_seconds=step):
            points = [(at, float(value)) for at, value in found.values]
            if any(not math.isnan(value) for _, value in points):
                series[query.name_of(found.metric)] = points
    svg = chart(series, unit=panel.unit, begin=begin, end=end) if series else ""
    left_out = max(0, len(series) - LINES_MAX)
    return DrawnPanel(title=panel.title, description=panel.description, svg=svg, left_out=left_out)


def _backups(prometheus: Prometheus, *, now: float) -> list[Figure]:
    """The figures of the newest verified backup. Several schedulers export the same ones."""
    ages = prometheus.samples("max by (state) (upschedule_backup_time_seconds) > 0")
    runs = prometheus.samples("max by (outcome) (upschedule_backup_run_time_seconds) > 0")
    durations = prometheus.samples("max by (part) (upschedule_backup_duration_seconds)")
    sizes = prometheus.samples("max by (of) (upschedule_backup_size_bytes)")
    return [
        *(_figure(f"newest backup, {_label(each)}", _ago(each, now)) for each in ages),
        *(_figure(f"last run, {_label(each)}", _ago(each, now)) for each in runs),
        *(_figure(f"duration, {_label(each)}", text_of(float(each.value[1]), "s")) for each in durations),
        *(_figure(f"size, {_label(each)}", text_of(float(each.value[1]), "bytes")) for each in sizes),
    ]


def _figure(name: str, value: str) -> Figure:
    return Figure(name=name, value=value)


def _label(sample: Sample) -> str:
    return " ".join(sample.metric.values())


def _ago(sample: Sample, now: float) -> str:
    at = float(sample.value[1])
    return f"{_minute(at)}, {(now - at) / _HOUR_SECONDS:.1f} hours before the end"


def _minute(seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M}"
