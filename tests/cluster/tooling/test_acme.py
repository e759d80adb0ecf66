"""Certificates that nobody need renew: Traefik's job before a real ACME server (R8.4)."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.cluster.conftest import Figure
from tests.cluster.tooling.agent import Agent
from tests.cluster.tooling.authority import Pebble, running_pebble
from tests.cluster.tooling.echo import running_echo
from tests.cluster.tooling.edge import DOMAIN, HEALTHY_SECONDS, RULE, Edge, running_edge, running_node
from tests.servers import scratch_directory, wait_until
from upschedule.operations.embedded.ports import LOOPBACK, free_port

# Traefik renews certificates of less than a day 20 minutes before their end, and looks once a minute.
VALIDITY_SECONDS = 1_230
RENEWAL_SECONDS = 150
CLIENT = "203.0.113.7"


@dataclass
class Visits:
    """What a client saw, over one connection after another. `serials` in the order of their first appearance."""

    serials: list[str] = field(default_factory=list[str])
    answered: int = 0
    failures: list[str] = field(default_factory=list[str])


@pytest.mark.timeout(400)
def test_a_certificate_is_got_renewed_in_time_and_kept_over_a_restart(programs: Path, figure: Figure) -> None:
    """No request fails meanwhile, and a restart needs no authority (R8.4). A trusted proxy's word is believed."""
    with scratch_directory() as folder, running_node(programs, folder) as node:
        http_port = free_port()
        with running_pebble(folder, http_port=http_port, validity_seconds=VALIDITY_SECONDS) as pebble:
            edge = Edge(node=node, variables=acme(pebble), http_port=http_port, roots=pebble.roots)
            with running_edge(edge, {"consul_token": "token"}), running_echo(node.consul, RULE):
                wait_until(lambda: answers(edge), timeout_seconds=HEALTHY_SECONDS)
                visits = renewal(edge, figure)

                assert not visits.failures
                assert len(visits.serials) == 2
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
    """Over HTTPS, with a certificate of the authority's."""
    try:
        return edge.request("GET", "/").status_code == 200
    except httpx.TransportError:
        return False


def renewal(edge: Edge, figure: Figure) -> Visits:
    """What was seen until the certificate changed, and for some requests after that."""
    began = time.monotonic()
    with visiting(edge) as visits:
        wait_until(lambda: len(visits.serials) > 1, timeout_seconds=RENEWAL_SECONDS)
        seconds, until_then = time.monotonic() - began, visits.answered
        wait_until(lambda: visits.answered > until_then + 20)
    figure("seconds from the first answer to a renewed certificate", seconds)
    figure("requests answered meanwhile, each over a connection of its own", visits.answered)
    return visits


@contextmanager
def visiting(edge: Edge) -> Iterator[Visits]:
    visits, stop = Visits(), threading.Event()

    def visit() -> None:
        while not stop.wait(0.02):
            try:
                serial, line = visited(edge)
            except OSError as failure:
                visits.failures.append(repr(failure))
                continue
            if line.split()[1:2] == [b"200"]:
                visits.answered += 1
            else:
                visits.failures.append(line.decode())
            if serial not in visits.serials:
                visits.serials.append(serial)

    thread = threading.Thread(target=visit, name="visits")
    thread.start()
    try:
        yield visits
    finally:
        stop.set()
        thread.join()


def visited(edge: Edge) -> tuple[str, bytes]:
    """The certificate's serial number, verified, and the first line of the answer. Raises OSError."""
    with (
        socket.create_connection((LOOPBACK, edge.https_port), timeout=20) as connection,
        edge.context().wrap_socket(connection, server_hostname=DOMAIN) as secure,
    ):
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {edge.authority}\r\nConnection: close\r\n\r\n".encode())
        certificate = secure.getpeercert() or {}
        return str(certificate["serialNumber"]), secure.makefile("rb").readline()


def keeps_its_certificate_without_the_authority(edge: Edge, pebble: Pebble) -> None:
    """From the host volume, which nobody else may read."""
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
