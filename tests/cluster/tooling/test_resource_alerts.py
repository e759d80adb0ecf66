"""Tickets at 80 % of a resource (R6.5): real servers near their limits, real exporters, and the mails that arrive."""

import os
import re
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import redis

from tests.cluster.conftest import Figure
from tests.support.cluster.tooling.alerting_site import PAGES, TICKETS, AlertingSite, running_alerting
from tests.support.cluster.tooling.authority import Certificate, self_signed
from tests.support.cluster.tooling.nomad_agent import Agent, running_agent
from tests.support.cluster.tooling.prometheus_server import running
from tests.support.paths import ROOT
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
#: The limit of the exporter's open file descriptors.
DESCRIPTORS = 64
MEMORY_MB = 100
#: The settings of `nomad/agent.hcl`, with a shorter interval.
TELEMETRY = """
telemetry {
  prometheus_metrics         = true
  publish_allocation_metrics = true
  publish_node_metrics       = true
  collection_interval        = "2s"
}
"""
HOARDER = f"""
import time
memory = b"x" * {int(SHARE * MEMORY_MB) << 20}
time.sleep(3600)
"""
EXPORTER = (ROOT / "jobs" / "exporter.nomad.hcl").read_text(encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Site:
    """The measured servers, and the receivers of their alerts. `certificate` is that of PostgreSQL."""

    folder: Path
    postgres: Postgres
    valkey: Valkey
    agent: Agent
    node_exporter: str
    certificate: Certificate
    alerting: AlertingSite


@pytest.fixture(scope="module")
def site(programs: Path) -> Iterator[Site]:
    with ExitStack() as owned:
        folder = owned.enter_context(scratch_directory())
        agent = owned.enter_context(running_agent(programs / "nomad", TELEMETRY))
        postgres = Postgres(folder / "postgres", binaries=DEBIAN_POSTGRES, max_connections=CONNECTIONS)
        valkey = Valkey(folder / "valkey", STATE)
        owned.enter_context(started(postgres))
        owned.enter_context(started(valkey))
        certificate = encrypted(folder, postgres)
        queries = folder / "queries.yml"
        queries.write_text(queries_of_the_job(), encoding="utf-8")
        options = ["--disable-settings-metrics", f"--extend.query-path={queries}"]
        commands = {
            "postgres": ["/usr/bin/prometheus-postgres-exporter", *options],
            "redis": ["/usr/bin/prometheus-redis-exporter"],
            "node": ["/usr/bin/prlimit", f"--nofile={DESCRIPTORS}", "/usr/bin/prometheus-node-exporter"],
        }
        secrets = {"DATA_SOURCE_NAME": f"{postgres.superuser_dsn()}?sslmode=disable", "REDIS_ADDR": valkey.url}
        at = {name: owned.enter_context(exporting(folder, name, commands[name], secrets)) for name in commands}
        targets = {
            "postgres-exporter": at["postgres"],
            "redis-state": at["redis"],
            "node-exporter": at["node"],
            "pgbouncer-exporter": owned.enter_context(exporting_certificates(folder, postgres)),
            "nomad": f"{urlsplit(agent.address).netloc}/v1/metrics?format=prometheus",
        }
        yield Site(
            folder=folder,
            postgres=postgres,
            valkey=valkey,
            agent=agent,
            node_exporter=at["node"],
            certificate=certificate,
            alerting=owned.enter_context(running_alerting(folder, targets)),
        )


def queries_of_the_job() -> str:
    """The exporter's own queries, without those that need an extension of PostgreSQL."""
    text = EXPORTER.partition("          pg_waiting:")[2].partition("          pg_statements:")[0]
    return textwrap.dedent(f"          pg_waiting:{text}")


@contextmanager
def exporting(folder: Path, name: str, command: Sequence[str], secrets: Mapping[str, str]) -> Iterator[str]:
    """Starts one of Debian's exporters, and yields its address."""
    address = f"{LOOPBACK}:{free_port()}"
    page = f"http://{address}/metrics"
    log = folder / f"{name}-exporter.log"
    listening = [*command, f"--web.listen-address={address}"]
    with running(listening, log, lambda: httpx.get(page).status_code == 200, environment={**os.environ, **secrets}):
        yield address


@contextmanager
def exporting_certificates(folder: Path, postgres: Postgres) -> Iterator[str]:
    """Starts the exporter of PgBouncer, although no PgBouncer runs, and yields its address."""
    port = free_port()
    variables = {
        "POSTGRES_HOST": LOOPBACK,
        "POSTGRES_PORT": str(postgres.port),
        "PGBOUNCER_HOST": LOOPBACK,
        "PGBOUNCER_PORT": str(free_port()),
        "PGBOUNCER_USER": "monitor",
        "PGSSLROOTCERT": str(folder / "authorities.pem"),
        "CERTIFICATE_SECONDS": "1",
    }
    command = ["/usr/bin/python3.11", str(ROOT / "jobs" / "exporter" / "pgbouncer.py"), LOOPBACK, str(port)]
    page = f"http://{LOOPBACK}:{port}/metrics"
    log = folder / "pgbouncer-exporter.log"
    with running(command, log, lambda: 'store="postgres"' in httpx.get(page).text, environment=variables):
        yield f"{LOOPBACK}:{port}"


def encrypted(folder: Path, postgres: Postgres) -> Certificate:
    """Enables TLS in PostgreSQL with a certificate that is valid for two months, and returns its files."""
    certificates = [self_signed(folder, f"{days}-days", f"IP:{LOOPBACK}", days=days) for days in (60, 2)]
    authorities = "".join(each.certificate.read_text(encoding="ascii") for each in certificates)
    (folder / "authorities.pem").write_text(authorities, encoding="ascii")
    with psycopg.connect(postgres.superuser_dsn(), autocommit=True) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
        assert row
        used = Certificate(certificate=Path(row[0]) / "server.pem", key=Path(row[0]) / "server.key")
        install(used, certificates[0])
        connection.execute("ALTER SYSTEM SET ssl_cert_file = 'server.pem'")
        connection.execute("ALTER SYSTEM SET ssl_key_file = 'server.key'")
        connection.execute("ALTER SYSTEM SET ssl = on")
        connection.execute("SELECT pg_reload_conf()")
    return used


def install(used: Certificate, other: Certificate) -> None:
    """Replaces the files of `used`, which belong to the user of PostgreSQL."""
    owner = used.key.parent.stat()
    for target, source in ((used.certificate, other.certificate), (used.key, other.key)):
        target.write_bytes(source.read_bytes())
        target.chmod(0o600)
        os.chown(target, owner.st_uid, owner.st_gid)


@contextmanager
def many_connections(site: Site) -> Iterator[None]:
    """Idle connections, besides those that are open already, use 17 of the 20 that PostgreSQL accepts."""
    with ExitStack() as opened:
        first = opened.enter_context(psycopg.connect(site.postgres.superuser_dsn()))
        (used,) = first.execute("SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL").fetchone() or (0,)
        first.rollback()
        for _ in range(int(SHARE * CONNECTIONS) - used):
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


@contextmanager
def waiting_statement(site: Site) -> Iterator[None]:
    """A transaction waits for the row that another one has changed."""
    dsn = site.postgres.superuser_dsn()
    with psycopg.connect(dsn) as first, psycopg.connect(dsn) as second:
        first.execute("CREATE TABLE waited_for AS SELECT 'a'::text AS word")
        first.commit()
        first.execute("UPDATE waited_for SET word = 'b'")
        second.pgconn.send_query(b"UPDATE waited_for SET word = 'c'")
        yield
        first.rollback()
        second.close()


@contextmanager
def certificate_of_two_days(site: Site) -> Iterator[None]:
    """PostgreSQL reads another certificate until the block ends."""
    change_certificate(site, days=2)
    yield
    change_certificate(site, days=60)


def change_certificate(site: Site, *, days: int) -> None:
    name = f"{days}-days"
    install(site.certificate, Certificate(certificate=site.folder / f"{name}.pem", key=site.folder / f"{name}.key"))
    with psycopg.connect(site.postgres.superuser_dsn()) as connection:
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def open_descriptors(site: Site) -> Iterator[None]:
    """Many connections to the node exporter stay open."""
    host, _, port = site.node_exporter.partition(":")
    page = httpx.get(f"http://{site.node_exporter}/metrics").text
    (opened,) = re.findall(r"^process_open_fds (\d+)$", page, re.MULTILINE)
    with ExitStack() as connections:
        for _ in range(int(SHARE * DESCRIPTORS) - int(opened)):
            connections.enter_context(socket.create_connection((host, int(port))))
        yield


@contextmanager
def full_disk(site: Site) -> Iterator[None]:
    """One file fills most of a small file system."""
    with file_system(site.folder, "full") as place:
        size = os.statvfs(place)
        (place / "file").write_bytes(bytes(int(SHARE * size.f_blocks * size.f_frsize)))
        yield


@contextmanager
def many_files(site: Site) -> Iterator[None]:
    """Empty files use most inodes of a small file system."""
    with file_system(site.folder, "files", "-N", "64") as place:
        size = os.statvfs(place)
        for number in range(int(SHARE * size.f_files) - (size.f_files - size.f_ffree)):
            (place / str(number)).touch()
        yield


@contextmanager
def file_system(folder: Path, name: str, *options: str) -> Iterator[Path]:
    """Mounts a file system of 32 MB, which Nomad's client measures as one more disk of the machine."""
    image, place = folder / f"{name}.img", folder / name
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", *options, str(image)], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@contextmanager
def hoarding_task(site: Site) -> Iterator[None]:
    """A task of Nomad uses most of its memory."""
    task = {
        "Name": "hoarder",
        "Driver": "raw_exec",
        "Config": {"command": sys.executable, "args": ["-c", HOARDER]},
        "Resources": {"CPU": 50, "MemoryMB": MEMORY_MB},
    }
    job = {"ID": "hoarder", "Datacenters": ["*"], "TaskGroups": [{"Name": "hoarder", "Tasks": [task]}]}
    site.agent.call("PUT", "jobs", {"Job": job})
    yield
    site.agent.call("DELETE", "job/hoarder", purge="true")


CAUSES: dict[str, Callable[[Site], AbstractContextManager[None]]] = {
    "PostgresTableLocked": locked_table,
    "RedisMemoryNearLimit": full_redis,
    "PostgresLockWaits": waiting_statement,
    "CertificateEnds": certificate_of_two_days,
    "DescriptorsNearLimit": open_descriptors,
    "DiskNearlyFull": full_disk,
    "DiskWithoutInodes": many_files,
    "TaskMemoryNearLimit": hoarding_task,
    # This cause comes last, since the others need connections.
    "PostgresConnectionsNearLimit": many_connections,
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
