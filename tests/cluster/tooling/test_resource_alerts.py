"""Tickets at 80 % of a resource (R6.5): real servers near their limits, real exporters, and the mails that arrive."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
import redis

from tests.cluster.conftest import Figure
from tests.support.cluster.tooling.alerting_site import PAGES, TICKETS, AlertingSite, running_alerting
from tests.support.cluster.tooling.prometheus_server import running
from tests.support.servers import DEBIAN_POSTGRES, scratch_directory, started, wait_until
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.valkey import STATE, Valkey

pytestmark = pytest.mark.timeout(400)
#: The deadline on a busy machine. The test's figures show the real time.
PATIENCE_SECONDS = 180.0
CONNECTIONS = 20
#: A share above the 80 % of R6.5.
SHARE = 0.88
VALUE_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Site:
    """The stores, and the receivers of their alerts."""

    postgres: Postgres
    valkey: Valkey
    alerting: AlertingSite


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with ExitStack() as owned:
        folder = owned.enter_context(scratch_directory())
        postgres = Postgres(folder / "postgres", binaries=DEBIAN_POSTGRES, max_connections=CONNECTIONS)
        valkey = Valkey(folder / "valkey", STATE)
        owned.enter_context(started(postgres))
        owned.enter_context(started(valkey))
        secrets = {
            "postgres": {"DATA_SOURCE_NAME": f"{postgres.superuser_dsn()}?sslmode=disable"},
            "redis": {"REDIS_ADDR": valkey.url},
        }
        addresses = {name: owned.enter_context(exporting(folder, name, secrets[name])) for name in secrets}
        targets = {"postgres-exporter": addresses["postgres"], "redis-state": addresses["redis"]}
        alerting = owned.enter_context(running_alerting(folder, targets))
        yield Site(postgres=postgres, valkey=valkey, alerting=alerting)


@contextmanager
def exporting(folder: Path, name: str, secrets: Mapping[str, str]) -> Iterator[str]:
    """Runs Debian's exporter of a store and returns its address."""
    address = f"{LOOPBACK}:{free_port()}"
    command = [f"/usr/bin/prometheus-{name}-exporter", f"--web.listen-address={address}"]
    page = f"http://{address}/metrics"
    log = folder / f"{name}-exporter.log"
    with running(command, log, lambda: httpx.get(page).status_code == 200, environment={**os.environ, **secrets}):
        yield address


@contextmanager
def many_connections(site: Site) -> Iterator[None]:
    """Opens idle connections up to this share of the 20 that PostgreSQL accepts."""
    with ExitStack() as opened:
        for _ in range(int(SHARE * CONNECTIONS)):
            opened.enter_context(psycopg.connect(site.postgres.superuser_dsn()))
        yield


@contextmanager
def locked_table(site: Site) -> Iterator[None]:
    """A transaction stays open after it changed a table."""
    with psycopg.connect(site.postgres.superuser_dsn()) as connection:
        connection.execute("CREATE TABLE of_a_test (word text)")
        yield
        connection.rollback()


@contextmanager
def full_redis(site: Site) -> Iterator[None]:
    """The memory limit is lowered to just above the memory in use."""
    # The buffer of the connection that sends the value counts until the connection ends.
    with redis.Redis.from_url(site.valkey.url) as client:
        client.set("of-a-test", bytes(VALUE_BYTES))
    with redis.Redis.from_url(site.valkey.url) as client:
        before = str(client.config_get("maxmemory")["maxmemory"])
        client.config_set("maxmemory", str(int(client.info("memory")["used_memory"] / SHARE)))
        yield
        client.config_set("maxmemory", before)


CAUSES: dict[str, Callable[[Site], AbstractContextManager[None]]] = {
    "PostgresConnectionsNearLimit": many_connections,
    "PostgresTableLocked": locked_table,
    "RedisMemoryNearLimit": full_redis,
}


def test_each_resource_near_its_limit_opens_a_ticket_until_it_is_free_again(site: Site, figure: Figure) -> None:
    """All causes begin at once, since each alert takes most of a minute. No page is sent (R6.5)."""
    began = time.monotonic()
    with ExitStack() as caused:
        for cause in CAUSES.values():
            caused.enter_context(cause(site))
        wait_until(lambda: all(arrived(site, "firing", alert) for alert in CAUSES), timeout_seconds=PATIENCE_SECONDS)
    for alert in CAUSES:
        (at, *_) = arrived(site, "firing", alert)
        figure(f"seconds from the cause to the mail {alert}", at - began)
    wait_until(lambda: all(arrived(site, "resolved", alert) for alert in CAUSES), timeout_seconds=PATIENCE_SECONDS)

    assert [mail for mail in site.alerting.mailbox.texts(PAGES) if any(alert in mail for alert in CAUSES)] == []


def arrived(site: Site, status: str, alert: str) -> list[float]:
    """When mails with this status of the alert arrived at the address for tickets."""
    return [
        at
        for at, to, mail in list(site.alerting.mailbox.arrived)
        if TICKETS in to and mail["Subject"].startswith(f"[{status} ") and mail["Subject"].endswith(f"] {alert}")
    ]
