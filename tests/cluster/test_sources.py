"""Prometheus scrapes every part of the cluster, and finds the metrics that rules, policies and runbooks name (R6.2)."""

import secrets
import ssl
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.cluster import tasks_of
from tests.support.cluster.whole.instances import students_at_work
from tests.support.documents.generate import document
from tests.support.metric_names import dashboard_queries, named, recorded
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster

pytestmark = pytest.mark.timeout(600)
SOURCES = {
    "alertmanager",
    "api",
    "autoscaler",
    "blackbox",
    "consul",
    "node",
    "nomad",
    "pgbouncer",
    "postgres",
    "prometheus",
    "redis",
    "scheduler",
    "seaweedfs",
    "supervisor",
    "traefik",
    "worker",
}
SCRAPED_SECONDS = 90.0
EXPORTERS = ("postgres-exporter", "pgbouncer-exporter", "redis-exporter", "node-exporter", "blackbox-exporter")
METHODS = ("GET", "HEAD", "OPTIONS", "BREW", "PROPFIND")
#: The number of series must not depend on the requests of a visitor.
BOUNDED = 'count({__name__=~"upschedule_http_.*|traefik_.*"})'


def test_every_target_answers(cluster: LocalCluster) -> None:
    """Each part of the system is a target, and none is down."""
    with suppress(AssertionError):  # The next assertion shows more.
        wait_until(lambda: not down(cluster) and sources(cluster) >= SOURCES, timeout_seconds=SCRAPED_SECONDS)

    assert down(cluster) == []
    assert sources(cluster) == SOURCES
    assert {value(cluster, "min(probe_success)"), value(cluster, "min(pg_up)"), value(cluster, "min(redis_up)")} == {
        1.0
    }


def test_every_metric_that_is_named_is_scraped(cluster: LocalCluster) -> None:
    """A rule with an unknown metric never fires, and Prometheus reports no error."""
    with students_at_work(cluster) as students:
        students.upload([document(1)], at_once=1).result(120)
    with suppress(AssertionError):  # The next assertion shows more.
        wait_until(lambda: not unknown(cluster), timeout_seconds=SCRAPED_SECONDS)

    assert unknown(cluster) == {}


def test_every_query_of_every_dashboard_returns_data(cluster: LocalCluster) -> None:
    """This also holds while nothing happens. A panel without a line could mean no events or a wrong query."""
    with students_at_work(cluster) as students:
        students.upload([document(2)], at_once=1).result(120)
    with suppress(AssertionError):  # The next assertion shows more.
        wait_until(lambda: not without_data(cluster), timeout_seconds=SCRAPED_SECONDS)

    assert without_data(cluster) == []


def test_what_a_visitor_sends_makes_no_new_series(cluster: LocalCluster) -> None:
    """Different paths, methods, hosts and headers do not change the number of series (R6.2)."""
    hostile(cluster, times=5)
    await_scrape(cluster)
    before = value(cluster, BOUNDED)
    hostile(cluster, times=40)
    await_scrape(cluster)

    assert value(cluster, BOUNDED) == before


def test_the_memory_of_a_whole_local_cluster_is_small(cluster: LocalCluster, figure: Figure) -> None:
    """The proportional memory of each process is counted (docs/monitoring.md)."""
    megabytes = defaultdict[str, float](float)
    for job, _, process in tasks_of(cluster):
        megabytes[job] += proportional(process)
    for name, agent in (("Nomad's agent", cluster.nomad.process), ("Consul's agent", cluster.consul.process)):
        pid = agent.pid()
        assert pid
        megabytes[name] += proportional(Path(f"/proc/{pid}"))
    for name, size in sorted(megabytes.items()):
        figure(f"MB of {name}", size)
    exporters = sum(megabytes[name] for name in EXPORTERS)
    figure("MB of the five exporters", exporters)
    figure("MB of the whole local cluster", sum(megabytes.values()))
    figure("series that Prometheus holds", value(cluster, "prometheus_tsdb_head_series"))

    assert 0 < exporters < 150


def proportional(process: Path) -> float:
    """Megabytes of a process. A page that several processes share counts for each in part."""
    try:
        lines = (process / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0  # The process has ended in the meantime.
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1024


def prometheus(cluster: LocalCluster, path: str, **query: str) -> Any:
    url = f"http://{cluster.plan.address('prometheusPort')}/api/v1/{path}"
    return httpx.get(url, params=query, timeout=20).raise_for_status().json()["data"]


def value(cluster: LocalCluster, expression: str) -> float:
    (entry,) = prometheus(cluster, "query", query=expression)["result"]
    return float(entry["value"][1])


def sources(cluster: LocalCluster) -> set[str]:
    return {target["labels"]["job"] for target in prometheus(cluster, "targets")["activeTargets"]}


def down(cluster: LocalCluster) -> list[str]:
    """Targets that are down, with their errors."""
    targets = prometheus(cluster, "targets")["activeTargets"]
    return [f"{each['labels']}: {each['lastError']}" for each in targets if each["health"] != "up"]


def scraped(cluster: LocalCluster) -> set[str]:
    """This includes metrics that a source declares without a value, because the event has not happened yet."""
    return {*prometheus(cluster, "label/__name__/values"), *prometheus(cluster, "metadata")}


def unknown(cluster: LocalCluster) -> dict[str, set[str]]:
    """Metrics that are named but have no source, with the places that name them.

    The local cluster has no log shipper: tests/cluster/tooling/test_log_shipper.py finds its metrics.
    """
    found = scraped(cluster) | recorded()
    return {
        name: places for name, places in named().items() if name not in found and not name.startswith("log_shipper_")
    }


def without_data(cluster: LocalCluster) -> list[tuple[str, str]]:
    """Panels and their queries that return nothing."""
    queries = dashboard_queries()
    return [(panel, query) for panel, query in queries if not prometheus(cluster, "query", query=query)["result"]]


def await_scrape(cluster: LocalCluster) -> None:
    """Waits until every target was scraped after this call."""
    now = value(cluster, "vector(time())")
    wait_until(lambda: value(cluster, "min(timestamp(up))") > now, timeout_seconds=SCRAPED_SECONDS)


def hostile(cluster: LocalCluster, *, times: int) -> None:
    """Sends requests with different paths, methods, hosts and headers, and ignores the answers."""
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)
    with httpx.Client(base_url=cluster.plan.public_url, verify=verify, timeout=20) as client:
        for _ in range(times):
            word = secrets.token_hex(4)
            headers = {
                "Host": f"{word}.example.org",
                "User-Agent": word,
                "X-Request-Id": word,
                "Origin": f"https://{word}",
            }
            for method in METHODS:
                client.request(method, f"/{word}/{word}?{word}={word}")
                client.request(method, f"/api/v1/jobs/{word}")
                client.request(method, f"/{word}", headers=headers)
