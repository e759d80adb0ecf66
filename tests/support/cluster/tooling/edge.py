"""Traefik's job on a Nomad whose client runs the `exec` driver, and requests to it as a browser makes them."""

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.cluster.tooling.consul_agent import ProtectedConsul, passing, running_protected_consul
from tests.support.cluster.tooling.nomad_agent import Agent, running_agent
from tests.support.paths import ROOT
from tests.support.servers import wait_until
from upschedule.operations.embedded import executables
from upschedule.operations.embedded.ports import LOOPBACK, free_port

JOBS = ROOT / "jobs"
NOBODY = 65_534
HEALTHY_SECONDS = 60
DOMAIN = "schedule.test"
RULE = f"Host(`{DOMAIN}`)"


@dataclass(frozen=True, kw_only=True)
class Node:
    """Nomad, and Consul with ACLs; `volume` is the host volume `traefik`."""

    agent: Agent
    consul: ProtectedConsul
    volume: Path


@contextmanager
def running_node(programs: Path, folder: Path) -> Iterator[Node]:
    """A task sees Traefik and the list of users, nothing else."""
    volume = folder / "traefik"
    volume.mkdir()
    os.chown(volume, NOBODY, NOBODY)
    with running_protected_consul(programs / "consul", folder / "consul.log") as consul:
        configuration = f"""
consul {{
  address = "{consul.address}"
  token   = "{consul.tokens["nomad"]}"
}}
client {{
  options = {{
    "driver.allowlist" = "exec"
  }}
  host_volume "traefik" {{
    path = "{volume}"
  }}
  chroot_env {{
    "{executables.traefik().resolve()}" = "/usr/bin/traefik"
    "/etc/passwd" = "/etc/passwd"
    "/etc/group"  = "/etc/group"
  }}
}}
"""
        with running_agent(programs / "nomad", configuration) as agent:
            yield Node(agent=agent, consul=consul, volume=volume)


@dataclass(kw_only=True)
class Edge:
    """The running job; `roots` is what a client trusts."""

    node: Node
    variables: Mapping[str, str]
    http_port: int = field(default_factory=free_port)
    https_port: int = field(default_factory=free_port)
    roots: Path | None = None

    @property
    def authority(self) -> str:
        """The host and port as in a Host header."""
        return f"{DOMAIN}:{self.https_port}"

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=None if self.roots is None else str(self.roots))

    def request(self, method: str, path: str, *, host: str | None = None, **options: Any) -> httpx.Response:
        """Over a connection of its own, by name."""
        headers = {"Host": host or self.authority, **options.pop("headers", {})}
        url = f"https://{LOOPBACK}:{self.https_port}{path}"
        with httpx.Client(verify=self.context(), timeout=20) as client:
            return client.request(method, url, headers=headers, extensions={"sni_hostname": DOMAIN}, **options)

    def inside(self, path: str) -> httpx.Response:
        """The URL at the address that only the cluster can reach."""
        ((host, port),) = self.passing("traefik-metrics")
        return httpx.get(f"http://{host}:{port}{path}", timeout=5)

    def passing(self, service: str) -> list[tuple[str, int]]:
        """Host and port of each instance of the service whose checks all pass, as Traefik may see them."""
        consul = self.node.consul
        return passing(consul.address, service, token=consul.tokens["traefik"])

    def allocation(self) -> str:
        """Its id."""
        (running,) = (
            entry
            for entry in self.node.agent.call("GET", "job/traefik/allocations")
            if entry["ClientStatus"] == "running"
        )
        return running["ID"]

    def started(self) -> None:
        """Submits the job."""
        given = {
            "namespace": "default",
            "user": "nobody",
            "program": "/usr/bin/traefik",
            "domain": DOMAIN,
            "http_port": str(self.http_port),
            "https_port": str(self.https_port),
            "consul_address": self.node.consul.address,
            "routes": (JOBS / "traefik" / "routes.yml.tpl").read_text(encoding="utf-8"),
            "faults_plugin": (JOBS / "traefik" / "faults.go").read_text(encoding="utf-8"),
            **self.variables,
        }
        words = [word for name, value in given.items() for word in ("-var", f"{name}={value}")]
        answer = self.node.agent.nomad("job", "run", "-detach", *words, str(JOBS / "traefik.nomad.hcl"))
        assert answer.returncode == 0, answer.stderr


@contextmanager
def running_edge(edge: Edge, items: Mapping[str, str]) -> Iterator[Edge]:
    """`items` are the job's secrets besides Consul's token."""
    put_secrets(edge.node, items)
    edge.started()
    try:
        wait_until(lambda: edge.passing("traefik"), timeout_seconds=HEALTHY_SECONDS)
        yield edge
    finally:
        edge.node.agent.call("DELETE", "job/traefik", purge="true")
        wait_until(lambda: stopped(edge.node.agent), timeout_seconds=HEALTHY_SECONDS)


def put_secrets(node: Node, items: Mapping[str, str]) -> None:
    """Replaces the job's secrets by `items` and Consul's token with Traefik's policy."""
    secrets = {"consul_token": node.consul.tokens["traefik"], **items}
    body = {"Path": "nomad/jobs/traefik", "Namespace": "default", "Items": secrets}
    node.agent.call("PUT", "var/nomad/jobs/traefik", body)


def stopped(agent: Agent) -> bool:
    """Whether no task of Nomad's runs any more."""
    entries = agent.call("GET", "allocations", namespace="*")
    return all(entry["ClientStatus"] in {"complete", "failed", "lost"} for entry in entries)
