"""Shows Prometheus figures of PgBouncer and when the stores' certificates end: `pgbouncer.py HOST PORT` listens there.

Debian's own exporter does not know the columns that PgBouncer has had since 1.8 (decision 29). This one runs in
Debian's Python with Debian's packages. Where PgBouncer is say PGBOUNCER_HOST, PGBOUNCER_PORT, PGBOUNCER_USER, and
libpq's own variables; where PostgreSQL is, POSTGRES_HOST and POSTGRES_PORT.
"""

import importlib
import os
import socket
import ssl
import sys
import threading
import time
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


CERTIFICATE_METRIC = "stores_certificate_end_seconds"
CERTIFICATE_SENTENCE = "When the certificate of the store ends, in Unix time"
#: libpq's request for TLS, which both servers answer with S.
TLS_REQUEST = bytes.fromhex("0000000804d2162f")
CONNECT_SECONDS = 5.0
#: Between two questions for the certificates, also after one that was not answered.
CERTIFICATE_SECONDS = float(os.environ.get("CERTIFICATE_SECONDS", "300"))
RETRY_SECONDS = min(30.0, CERTIFICATE_SECONDS)


class Certificates(Collector):
    """Asks the stores in a thread of its own: a store that does not answer must not delay the figures of PgBouncer."""

    def __init__(self) -> None:
        self._ends: dict[str, float] = {}

    def describe(self) -> list[Metric]:
        """One family."""
        return [GaugeMetricFamily(CERTIFICATE_METRIC, CERTIFICATE_SENTENCE)]

    def collect(self) -> Iterator[Metric]:
        """A store that does not answer keeps the end that it showed last."""
        family = GaugeMetricFamily(CERTIFICATE_METRIC, CERTIFICATE_SENTENCE, labels=["store"])
        for store, end in list(self._ends.items()):
            family.add_metric([store], end)
        yield family

    def watch(self) -> None:
        """Asks without end."""
        while True:
            answered = [self._ask(store) for store in ("postgres", "pgbouncer")]
            time.sleep(CERTIFICATE_SECONDS if all(answered) else RETRY_SECONDS)

    def _ask(self, store: str) -> bool:
        host, port = (os.environ[f"{store.upper()}_{name}"] for name in ("HOST", "PORT"))
        try:
            self._ends[store] = certificate_end(host, int(port))
        except OSError as error:
            print(f"certificate of {store}: {error}", file=sys.stderr)  # noqa: T201 - its log
            return False
        return True


def certificate_end(host: str, port: int) -> float:
    """In Unix time. Raises OSError, also for a certificate that is not valid for this host."""
    context = ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])
    with socket.create_connection((host, port), timeout=CONNECT_SECONDS) as connection:
        connection.sendall(TLS_REQUEST)
        if connection.recv(1) != b"S":
            raise ConnectionError("the server has no TLS")
        with context.wrap_socket(connection, server_hostname=host) as encrypted:
            certificate: Any = encrypted.getpeercert()
    return float(ssl.cert_time_to_seconds(certificate["notAfter"]))


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
    """The metrics of all databases except PgBouncer's own."""
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
    certificates = Certificates()
    REGISTRY.register(certificates)
    threading.Thread(target=certificates.watch, name="certificates", daemon=True).start()
    start_http_server(int(sys.argv[2]), sys.argv[1])
    threading.Event().wait()
