"""Traefik's job gets and renews its certificate automatically from a real ACME server (R8.4)."""

import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.tooling.authority import Pebble, running_pebble
from tests.support.cluster.tooling.echo_server import running_echo
from tests.support.cluster.tooling.edge import DOMAIN, HEALTHY_SECONDS, RULE, Edge, running_edge, running_node
from tests.support.cluster.tooling.nomad_agent import Agent
from tests.support.cluster.whole.visits import Visits, visiting
from tests.support.servers import scratch_directory, wait_until
from upschedule.operations.embedded.ports import LOOPBACK, free_port

# Traefik renews certificates of less than a day 20 minutes before their end, and checks once a minute.
VALIDITY_SECONDS = 1_230
RENEWAL_SECONDS = 150
CLIENT = "203.0.113.7"


@dataclass
class Client:
    """Opens a connection for each visit. `serials` lists the certificates in the order of their first appearance."""

    edge: Edge
    serials: list[str] = field(default_factory=list[str])

    def visit(self) -> str | None:
        """Returns the reason if there was no good answer, else None."""
        try:
            serial, line = visited(self.edge)
        except OSError as failure:
            return repr(failure)
        if serial not in self.serials:
            self.serials.append(serial)
        return None if line.split()[1:2] == [b"200"] else line.decode()


@pytest.mark.timeout(400)
def test_a_certificate_is_got_renewed_in_time_and_kept_over_a_restart(programs: Path, figure: Figure) -> None:
    """No request fails in the meantime, and a restart works without the authority (R8.4).

    Headers of a trusted proxy are accepted.
    """
    with scratch_directory() as folder, running_node(programs, folder) as node:
        http_port = free_port()
        with running_pebble(folder, http_port=http_port, validity_seconds=VALIDITY_SECONDS) as pebble:
            edge = Edge(node=node, variables=acme(pebble), http_port=http_port, roots=pebble.roots)
            with running_edge(edge, {}), running_echo(node.consul, RULE):
                wait_until(lambda: answers(edge), timeout_seconds=HEALTHY_SECONDS)
                client = Client(edge)
                visits = renewal(client, figure)

                assert not visits.failures
                assert len(client.serials) == 2
                assert CLIENT in str(edge.request("GET", "/", headers={"X-Forwarded-For": CLIENT}).json())
                keeps_its_certificate_without_the_authority(edge, pebble)


def acme(pebble: Pebble) -> dict[str, str]:
    return {
        "acme_email": "operators@example.org",
        "acme_server": pebble.directory,
        "acme_ca_certificate": pebble.certificate.read_text(encoding="utf-8"),
        "acme_certificates_duration_hours": "1",
        "trusted_ips": f"{LOOPBACK}/32",
    }


def answers(edge: Edge) -> bool:
    """Whether the edge answers over HTTPS with a certificate of this authority."""
    try:
        return edge.request("GET", "/").status_code == 200
    except httpx.TransportError:
        return False


def renewal(client: Client, figure: Figure) -> Visits:
    """Visits until the certificate changes, and for some requests more."""
    began = time.monotonic()
    with visiting(client.visit, pause_seconds=0.02) as visits:
        wait_until(lambda: len(client.serials) > 1, timeout_seconds=RENEWAL_SECONDS)
        seconds, until_then = time.monotonic() - began, visits.answered
        wait_until(lambda: visits.answered > until_then + 20)
    figure("seconds from the first answer to a renewed certificate", seconds)
    figure("requests answered meanwhile, each over a connection of its own", visits.answered)
    return visits


def visited(edge: Edge) -> tuple[str, bytes]:
    """Returns the serial number of the verified certificate and the first line of the answer. Raises OSError."""
    with (
        socket.create_connection((LOOPBACK, edge.https_port), timeout=20) as connection,
        edge.context().wrap_socket(connection, server_hostname=DOMAIN) as secure,
    ):
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {edge.authority}\r\nConnection: close\r\n\r\n".encode())
        certificate = secure.getpeercert() or {}
        return str(certificate["serialNumber"]), secure.makefile("rb").readline()


def keeps_its_certificate_without_the_authority(edge: Edge, pebble: Pebble) -> None:
    """Traefik reads the certificate from the host volume, which no other user may read."""
    pebble.process.terminate()
    pebble.process.wait(20)
    (before, _), allocation = visited(edge), edge.allocation()
    edge.node.agent.call("PUT", f"client/allocation/{allocation}/restart", {"TaskName": "traefik"})
    wait_until(lambda: restarts(edge.node.agent, allocation) == 1, timeout_seconds=HEALTHY_SECONDS)
    wait_until(lambda: answers(edge), timeout_seconds=HEALTHY_SECONDS)

    assert visited(edge)[0] == before
    assert (edge.node.volume / "acme.json").stat().st_mode & 0o777 == 0o600


def restarts(agent: Agent, allocation: str) -> int:
    return agent.call("GET", f"allocation/{allocation}")["TaskStates"]["traefik"]["Restarts"]
