"""Writes `monitoring/dashboards/*.json` for Grafana: `python -m tools.dashboards`, from the root of the repository."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

FOLDER = Path(__file__).parents[1] / "monitoring" / "dashboards"
#: The Prometheus is chosen when a dashboard is imported.
_SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
_WIDTH, _HEIGHT = 12, 8
#: Health checks are not requests of visitors.
_VISITORS = 'route!~"/health/.*|/metrics"'


@dataclass(frozen=True, kw_only=True)
class Graph:
    """`unit` is Grafana's; each query of `lines` has the text of its legend."""

    title: str
    unit: str
    lines: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Board:
    """A dashboard; `name` is the name of its file."""

    name: str
    title: str
    graphs: Sequence[Graph]


BOARDS = (
    Board(
        name="service",
        title="Service",
        graphs=(
            Graph(
                title="Requests by route",
                unit="reqps",
                lines={f"sum by (route) (rate(upschedule_http_requests_total{{{_VISITORS}}}[5m]))": "{{route}}"},
            ),
            Graph(
                title="Share of requests that fail, by instance",
                unit="percentunit",
                lines={"alloc:upschedule_http_errors:ratio1m": "{{service}} {{alloc}}"},
            ),
            Graph(
                title="95 % of answers within, by instance",
                unit="s",
                lines={"alloc:upschedule_http_request_seconds:p95_1m": "{{service}} {{alloc}}"},
            ),
            Graph(
                title="95 % of answers within, by route",
                unit="s",
                lines={
                    "histogram_quantile(0.95, sum by (route, le) "
                    f"(rate(upschedule_http_request_seconds_bucket{{{_VISITORS}}}[5m])))": "{{route}}"
                },
            ),
            Graph(
                title="Refused by a limit",
                unit="reqps",
                lines={
                    "sum by (limit) (rate(upschedule_limited_requests_total[5m])) or vector(0)": "{{limit}}",
                },
            ),
            Graph(
                title="The public address",
                unit="s",
                lines={
                    'probe_duration_seconds{service="edge"}': "seconds of a probe",
                    'probe_success{service="edge"}': "answered",
                },
            ),
            Graph(
                title="Seconds a second spent on each part",
                unit="s",
                lines={
                    "sum by (service, part) (rate(upschedule_spent_seconds_sum[5m]))": "{{service}}: {{part}}",
                },
            ),
            Graph(title="Status streams open", unit="none", lines={"sum(upschedule_status_streams_open)": "streams"}),
            Graph(
                title="Dependencies that answer",
                unit="none",
                lines={"min by (dependency) (upschedule_dependency_up)": "{{dependency}}"},
            ),
        ),
    ),
    Board(
        name="queue",
        title="Queue and workers",
        graphs=(
            Graph(title="Jobs by state", unit="none", lines={"upschedule:queue_depth:max": "{{state}}"}),
            Graph(title="Oldest due job", unit="s", lines={"upschedule:queue_age_seconds:max": "has waited"}),
            Graph(
                title="Attempts that ended",
                unit="ops",
                lines={"sum by (outcome) (rate(upschedule_jobs_finished_total[5m])) or vector(0)": "{{outcome}}"},
            ),
            Graph(
                title="From upload to final state",
                unit="s",
                lines={
                    "histogram_quantile(0.5, sum by (le) (rate(upschedule_job_seconds_bucket[5m])))": "half within",
                    "histogram_quantile(0.95, sum by (le) (rate(upschedule_job_seconds_bucket[5m])))": "95 % within",
                },
            ),
            Graph(
                title="Readings by outcome",
                unit="ops",
                lines={"sum by (outcome) (rate(upschedule_readings_total[5m])) or vector(0)": "{{outcome}}"},
            ),
            Graph(
                title="Jobs that the sweeper moved",
                unit="ops",
                lines={"sum by (reason) (rate(upschedule_jobs_swept_total[5m])) or vector(0)": "{{reason}}"},
            ),
            Graph(
                title="Instances, wanted and running",
                unit="none",
                lines={
                    "upschedule:worker:wanted or vector(0)": "workers wanted",
                    "upschedule:api:wanted or vector(0)": "API instances wanted",
                    "service:upschedule_instances:up": "{{service}} running",
                },
            ),
            Graph(
                title="Memory of tasks",
                unit="bytes",
                lines={"sum by (exported_job, task) (nomad_client_allocs_memory_usage)": "{{exported_job}} {{task}}"},
            ),
        ),
    ),
    Board(
        name="stores",
        title="Stores",
        graphs=(
            Graph(
                title="Connections of PostgreSQL",
                unit="none",
                lines={
                    "sum by (state) (pg_stat_activity_count)": "{{state}}",
                    "max(pg_settings_max_connections)": "allowed",
                },
            ),
            Graph(
                title="Pools of PgBouncer",
                unit="none",
                lines={
                    "sum by (database) (pgbouncer_waiting_clients)": "{{database}}: clients that wait",
                    "sum by (database) (pgbouncer_active_clients)": "{{database}}: clients at work",
                },
            ),
            Graph(
                title="Statements that cost most",
                unit="percentunit",
                lines={
                    "topk(10, sum by (queryid, role) (rate(pg_statements_seconds_total[5m])))": "{{role}} {{queryid}}"
                },
            ),
            Graph(
                title="Waiting for a lock",
                unit="s",
                lines={"max(pg_waiting_longest_seconds)": "longest", "max(pg_waiting_backends)": "connections"},
            ),
            Graph(title="Write-ahead log", unit="bytes", lines={"max(pg_wal_directory_size_bytes)": "pg_wal"}),
            Graph(
                title="Memory of Redis",
                unit="bytes",
                lines={
                    "redis_memory_used_bytes": "{{service}} used",
                    "redis_memory_max_bytes": "{{service}} allowed",
                },
            ),
            Graph(
                title="Lookups of the status cache",
                unit="ops",
                lines={
                    "sum by (outcome) (rate(upschedule_status_cache_lookups_total[5m])) or vector(0)": "{{outcome}}"
                },
            ),
            Graph(
                title="Disks",
                unit="percent",
                lines={"max by (host, disk) (nomad_client_host_disk_used_percent)": "{{host}} {{disk}}"},
            ),
        ),
    ),
    Board(
        name="release",
        title="Release: old against canary",
        graphs=(
            Graph(
                title="Requests",
                unit="reqps",
                lines={"canary:upschedule_http_requests:rate1m": "{{service}}, canary {{canary}}"},
            ),
            Graph(
                title="Share of requests that fail",
                unit="percentunit",
                lines={"canary:upschedule_http_errors:ratio1m": "{{service}}, canary {{canary}}"},
            ),
            Graph(
                title="95 % of answers within",
                unit="s",
                lines={"canary:upschedule_http_request_seconds:p95_1m": "{{service}}, canary {{canary}}"},
            ),
            Graph(
                title="Readings",
                unit="ops",
                lines={
                    "sum by (canary, outcome) (rate(upschedule_readings_total[5m])) or vector(0)": (
                        "{{outcome}}, canary {{canary}}"
                    )
                },
            ),
            Graph(
                title="Instances",
                unit="none",
                lines={"count by (service, canary) (up)": "{{service}}, canary {{canary}}"},
            ),
            Graph(
                title="Processes that started lately",
                unit="none",
                lines={
                    'changes(process_start_time_seconds{service=~"api|worker|scheduler"}[10m])': "{{service}} {{alloc}}"
                },
            ),
        ),
    ),
    Board(
        name="objectives",
        title="Service level objectives",
        graphs=(
            Graph(title="Left of the budget of 30 days", unit="percentunit", lines={"slo:budget:left30d": "{{slo}}"}),
            Graph(title="Missed, of the last hour", unit="percentunit", lines={"slo:missed:ratio1h": "{{slo}}"}),
            Graph(title="Missed, of the last six hours", unit="percentunit", lines={"slo:missed:ratio6h": "{{slo}}"}),
            Graph(title="Missed, of the last three days", unit="percentunit", lines={"slo:missed:ratio3d": "{{slo}}"}),
            Graph(title="Requests that count", unit="reqps", lines={"slo:requests:rate5m": "{{slo}}"}),
            Graph(
                title="Alerts that fire",
                unit="none",
                lines={'count by (alertname) (ALERTS{alertstate="firing"})': "{{alertname}}"},
            ),
        ),
    ),
)


def render(board: Board) -> str:
    """The text of its file, which any Grafana from 10.1 on imports."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(f"upschedule-{board.name}")
        .tags(["upschedule"])
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .with_variable(dashboard.DatasourceVariable("source").type("prometheus").label("Prometheus"))
    )
    for position, graph in enumerate(board.graphs, start=1):
        panel = (
            timeseries.Panel()
            .id(position)
            .title(graph.title)
            .unit(graph.unit)
            .datasource(_SOURCE)
            .span(_WIDTH)
            .height(_HEIGHT)
        )
        for number, (expression, legend) in enumerate(graph.lines.items()):
            query = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + number))
            panel = panel.with_target(query.datasource(_SOURCE))
        built = built.with_panel(panel)
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


if __name__ == "__main__":
    for each in BOARDS:
        (FOLDER / f"{each.name}.json").write_text(render(each), encoding="utf-8")
