"""Shows figures of PgBouncer to Prometheus: `pgbouncer.py HOST PORT` listens there.

Debian's own exporter does not know the columns that PgBouncer has had since 1.8 (decision 29). This one runs in
Debian's Python with Debian's packages. Where PgBouncer is say PGBOUNCER_HOST, PGBOUNCER_PORT, PGBOUNCER_USER, and
libpq's own variables.
"""

import importlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from prometheus_client import start_http_server
from prometheus_client.core import REGISTRY, CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

# The environment of this project has another library for PostgreSQL.
psycopg2: Any = importlib.import_module("psycopg2")

#: Metric, sentence, and the columns whose sum it is, each with its unit's part of a second or 1.
POOLS: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "active_clients": ("Clients that have a server connection or need none now", {"cl_active": 1}),
    "waiting_clients": ("Clients that wait for a server connection", {"cl_waiting": 1}),
    "active_servers": ("Server connections that a client has", {"sv_active": 1}),
    "idle_servers": ("Server connections that no client uses", {"sv_idle": 1, "sv_used": 1}),
    "longest_wait_seconds": ("How long the first of the clients has waited", {"maxwait": 1, "maxwait_us": 1e-6}),
}
STATISTICS: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "transactions": ("Transactions", {"total_xact_count": 1}),
    "queries": ("Statements", {"total_query_count": 1}),
    "transaction_seconds": ("Time that clients held a server connection", {"total_xact_time": 1e-6}),
    "wait_seconds": ("Time that clients waited for a server connection", {"total_wait_time": 1e-6}),
}


class PgBouncer(Collector):
    """Connects for each scrape, so that it notices at once whether PgBouncer answers."""

    def describe(self) -> list[Metric]:
        """Nothing, so that it is not asked before there is a scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """`pgbouncer_up`, and while that is 1 the rest."""
        try:
            pools, statistics = asked("SHOW POOLS", "SHOW STATS")
        except psycopg2.Error as error:
            print(error, file=sys.stderr)  # noqa: T201 - its log
            yield GaugeMetricFamily("pgbouncer_up", "1 while PgBouncer answers", value=0)
            return
        yield GaugeMetricFamily("pgbouncer_up", "1 while PgBouncer answers", value=1)
        yield from families(GaugeMetricFamily, POOLS, pools, ("database", "user"))
        yield from families(CounterMetricFamily, STATISTICS, statistics, ("database",))


def families(
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
    metrics: Mapping[str, tuple[str, Mapping[str, float]]],
    rows: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
) -> Iterator[Metric]:
    """Of PgBouncer's own database nothing."""
    for name, (sentence, columns) in metrics.items():
        family = kind(f"pgbouncer_{name}", sentence, labels=labels)
        for row in rows:
            if row["database"] != "pgbouncer":
                number = sum(float(row[column]) * factor for column, factor in columns.items())
                family.add_metric([row[label] for label in labels], number)
        yield family


def asked(*questions: str) -> list[list[dict[str, Any]]]:
    """The rows of each answer. Raises psycopg2.Error."""
    user, host, port = (os.environ[f"PGBOUNCER_{name}"] for name in ("USER", "HOST", "PORT"))
    answers: list[list[dict[str, Any]]] = []
    with closing(psycopg2.connect(dbname="pgbouncer", user=user, host=host, port=port)) as connection:
        # PgBouncer's console knows no transactions.
        connection.autocommit = True
        with connection.cursor() as cursor:
            for question in questions:
                cursor.execute(question)
                names = [column[0] for column in cursor.description]
                answers.append([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])
    return answers


if __name__ == "__main__":
    REGISTRY.register(PgBouncer())
    start_http_server(int(sys.argv[2]), sys.argv[1])
    threading.Event().wait()
