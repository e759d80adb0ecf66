"""Reads the dashboards of `monitoring/dashboards/`, so that the report and Grafana show the same panels."""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from upschedule.deploy.errors import DeployError

_LABEL = re.compile(r"\{\{\s*([^}\s]+)\s*\}\}")


class DashboardsUnreadable(DeployError):
    """No dashboards were found in the folder, or one of them is not what Grafana imports."""


class Query(msgspec.Struct, frozen=True, kw_only=True, rename={"expression": "expr", "legend": "legendFormat"}):
    """An expression of Prometheus, and how each of its series is named."""

    expression: str
    legend: str = ""

    def name_of(self, labels: Mapping[str, str]) -> str:
        """The legend with the series' labels filled in; without a legend, the labels themselves."""
        named = _LABEL.sub(lambda found: labels.get(found[1], ""), self.legend).strip()
        return named or ", ".join(f"{name} {value}" for name, value in sorted(labels.items())) or "value"


class _Defaults(msgspec.Struct, frozen=True, kw_only=True):
    unit: str = "none"


class _FieldConfig(msgspec.Struct, frozen=True, kw_only=True):
    defaults: _Defaults = _Defaults()


class Panel(msgspec.Struct, frozen=True, kw_only=True, rename={"queries": "targets", "field_config": "fieldConfig"}):
    """One graph."""

    title: str = ""
    description: str = ""
    queries: tuple[Query, ...] = ()
    field_config: _FieldConfig = _FieldConfig()

    @property
    def unit(self) -> str:
        """The unit as Grafana names it.

        It is `s`, `bytes`, `reqps`, `ops`, `percent` (of 100), `percentunit` (of 1) or `none`.
        """
        return self.field_config.defaults.unit


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """The panels of one page of Grafana."""

    title: str
    panels: tuple[Panel, ...]


def dashboards(folder: Path) -> list[Dashboard]:
    """Sorted by file name. Raises DashboardsUnreadable."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise DashboardsUnreadable(
            f"There are no dashboards in {folder}: run the command in the project's folder, or name theirs with "
            "--dashboards."
        )
    try:
        return [msgspec.json.decode(file.read_bytes(), type=Dashboard) for file in files]
    except (OSError, msgspec.MsgspecError) as error:
        raise DashboardsUnreadable(f"The dashboards in {folder} cannot be read: {error}") from error
