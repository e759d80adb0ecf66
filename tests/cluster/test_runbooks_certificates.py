"""Certificates are replaced as the runbook says, and failed requests of users are counted meanwhile (R8.4)."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.outages import visiting
from tests.support.cluster.whole.runbooks import follow, shell
from tests.support.servers import wait_until
from tools.local_cluster.certificates import Certificate, provide_certificates
from tools.local_cluster.cluster import LocalCluster

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def sre(cluster: LocalCluster) -> Iterator[dict[str, str]]:
    """The environment of an operator's shell."""
    yield shell(cluster)
    cluster.up()


@pytest.fixture
def renewed(cluster: LocalCluster, tmp_path: Path) -> Path:
    """A folder with new certificates of the same authority."""
    folder = tmp_path / "certificates"
    shutil.copytree(cluster.certificates.authority.parent, folder)
    for name in ("public", "stores"):
        (folder / f"{name}.pem").unlink()
    provide_certificates(folder)
    return folder


def keep(folder: Path, files: Certificate) -> None:
    """Copies it to where the next `make cluster` looks for it."""
    for file in (files.certificate, files.key):
        shutil.copy(folder / file.name, file)


def serial(certificate: Path) -> str:
    show = ["openssl", "x509", "-in", certificate, "-noout", "-serial"]
    return subprocess.run(show, check=True, capture_output=True, text=True, timeout=20).stdout.strip()


def test_a_given_certificate_is_replaced_without_a_restart(
    cluster: LocalCluster, sre: dict[str, str], figure: Figure, renewed: Path
) -> None:
    """No connection is refused meanwhile (R8.4)."""
    with visiting(cluster, "/health/live") as visits:
        follow("renew-certificates", "A given certificate", environment=sre, folder=renewed)
        keep(renewed, cluster.certificates.public)
        new = serial(cluster.certificates.public.certificate)
        wait_until(lambda: new in follow("renew-certificates", "Look", environment=sre), timeout_seconds=60)
    figure("requests answered while a given certificate is replaced", visits.answered)
    figure("requests failed meanwhile", len(visits.failures))
    assert visits.failures == []


def test_the_stores_certificate_is_replaced(
    cluster: LocalCluster, sre: dict[str, str], figure: Figure, renewed: Path
) -> None:
    """PostgreSQL restarts for it, so some requests wait, as the runbook says."""
    with visiting(cluster, "/api/v1/capacity") as visits:
        follow("renew-certificates", "The stores' certificate", environment=sre, folder=renewed)
        keep(renewed, cluster.certificates.stores)
        new = serial(cluster.certificates.stores.certificate)
        for port in ("postgresPort", "pgbouncerPort"):
            wait_until(lambda port=port: served_serial(cluster, port) == new, timeout_seconds=60)
    figure("s without an answer while PostgreSQL gets a new certificate", visits.longest_seconds)
    figure("requests failed meanwhile", len(visits.failures))


def served_serial(cluster: LocalCluster, port: str) -> str:
    """The serial number of the server's present certificate, or an empty text while there is none."""
    connect = ["openssl", "s_client", "-starttls", "postgres", "-connect", cluster.plan.address(port)]
    output = subprocess.run(connect, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False).stdout
    read = ["openssl", "x509", "-noout", "-serial"]
    return subprocess.run(read, input=output, capture_output=True, timeout=20, check=False).stdout.decode().strip()


def test_traefik_is_restarted_to_force_a_certificate(
    cluster: LocalCluster, sre: dict[str, str], figure: Figure
) -> None:
    """These are the commands of the part about ACME. Here no authority is used, and tooling/test_acme.py tests one."""
    with visiting(cluster, "/health/live") as visits:
        follow("renew-certificates", "ACME", environment=sre)
    figure("s without an answer while Traefik restarts", visits.longest_seconds)
    assert visits.answered
