"""Three servers and two clients, encrypted and with ACLs, set up as docs/production.md says."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from urllib3 import Retry

from tests.support.cluster.ha.keys import gossip_keys, made_by, make_certificates, run
from tests.support.cluster.ha.machine import Machine
from tests.support.paths import ROOT
from tests.support.servers import scratch_directory, wait_until
from tools.local_cluster.agent_cleanup import clean_up
from tools.local_cluster.tokens import is_token
from upschedule.deploy.consul import ConsulErrors, consul_client

SERVERS = ["127.0.0.11", "127.0.0.12", "127.0.0.13"]
CLIENTS = ["127.0.0.21", "127.0.0.22"]
ELECTION_SECONDS = 30
#: Of one request: a server without a leader would hold it for longer.
PATIENCE_SECONDS = 2
#: What a request to Nomad or Consul raises.
RequestErrors = (httpx.HTTPError, *ConsulErrors)


@dataclass(kw_only=True)
class Cluster:
    """The tokens may do everything."""

    servers: list[Machine]
    clients: list[Machine]
    authority: ssl.SSLContext
    consul_token: str = ""
    nomad_token: str = ""
    nomad_consul_token: str = ""

    def nomad(self, server: Machine, method: str, path: str, body: Any = None) -> Any:
        """Raises httpx.HTTPError."""
        answer = httpx.request(
            method,
            f"https://{server.address}:4646/v1/{path}",
            json=body,
            headers={"X-Nomad-Token": self.nomad_token},
            verify=self.authority,
            timeout=PATIENCE_SECONDS,
        )
        return answer.raise_for_status().json()

    def consul(self, server: Machine) -> Any:
        """A client that does not repeat requests: its callers do. It raises ConsulErrors."""
        url = f"http://{server.address}:8500"
        return consul_client(url, self.consul_token, retries=Retry(0), read_seconds=PATIENCE_SECONDS)

    def leader(self, program: str, servers: Sequence[Machine]) -> Machine | None:
        """The leader that the running servers name; None if there is none."""
        for server in servers:
            try:
                nomad = program == "nomad"
                leader = self.nomad(server, "GET", "status/leader") if nomad else self.consul(server).status.leader()
            except RequestErrors:
                continue
            if leader:
                return next(one for one in self.servers if one.address == leader.partition(":")[0])
        return None

    def peers(self, program: str, server: Machine) -> list[str]:
        """Addresses of the healthy servers, as autopilot sees them."""
        try:
            if program == "nomad":
                health = self.nomad(server, "GET", "operator/autopilot/health")
            else:
                health = self.consul(server).operator.autopilot_health()
        except RequestErrors:
            return []
        return sorted(one["Address"].partition(":")[0] for one in health["Servers"] if one["Healthy"])

    def instances(self, service: str, machine: Machine) -> list[str]:
        """HOST:PORT of each whose checks all pass, as the machine's own Consul agent tells it."""
        _, found = self.consul(machine).health.service(service, passing=True)
        return sorted(f"{entry['Service']['Address']}:{entry['Service']['Port']}" for entry in found)


@contextmanager
def running_cluster(programs: Path) -> Iterator[Cluster]:
    """Ends every process that it started, and removes what they wrote."""
    with scratch_directory() as folder:
        tls = folder / "tls"
        tls.mkdir()
        make_certificates(programs, tls, SERVERS)
        values = {f"SERVER_{number}": address for number, address in enumerate(SERVERS, start=1)}
        values |= gossip_keys(programs)
        machines = [
            Machine(programs=programs, folder=folder / address, tls=tls, address=address, role=role, values=values)
            for role, addresses in (("server", SERVERS), ("client", CLIENTS))
            for address in addresses
        ]
        authority = ssl.create_default_context(cafile=str(tls / "nomad-agent-ca.pem"))
        cluster = Cluster(servers=machines[:3], clients=machines[3:], authority=authority)
        try:
            for machine in machines:
                machine.folder.mkdir()
                machine.start_consul()
            give_consul_its_tokens(cluster, programs / "consul")
            for machine in machines:
                machine.start_nomad(cluster.nomad_consul_token)
            give_nomad_its_token(cluster, programs / "nomad")
            yield cluster
        finally:
            for machine in machines:
                for program in list(machine.running):
                    machine.kill(program)
            for machine in machines:
                clean_up(machine.folder, machine.cgroup)


def give_consul_its_tokens(cluster: Cluster, program: Path) -> None:
    """To each agent one for its own node, and one that Nomad shows."""
    wait_until(lambda: cluster.leader("consul", cluster.servers), timeout_seconds=ELECTION_SECONDS)
    here = {"CONSUL_HTTP_ADDR": f"{cluster.servers[0].address}:8500"}
    cluster.consul_token = made_by(program, "acl", "bootstrap", "-format=json", environment=here)["SecretID"]
    manager = {**here, "CONSUL_HTTP_TOKEN": cluster.consul_token}
    rules = f"-rules=@{ROOT / 'consul' / 'policies' / 'nomad.hcl'}"
    run(program, "acl", "policy", "create", "-name=nomad", rules, environment=manager)
    create = ("acl", "token", "create", "-format=json")
    nomads = made_by(program, *create, "-policy-name=nomad", environment=manager)
    cluster.nomad_consul_token = nomads["SecretID"]
    for machine in (*cluster.servers, *cluster.clients):
        wait_until(partial(knows_token, cluster, machine), timeout_seconds=ELECTION_SECONDS)
        made = made_by(program, *create, f"-node-identity={machine.name}:dc1", environment=manager)
        there = {"CONSUL_HTTP_ADDR": f"{machine.address}:8500", "CONSUL_HTTP_TOKEN": cluster.consul_token}
        run(program, "acl", "set-agent-token", "agent", made["SecretID"], environment=there)


def knows_token(cluster: Cluster, machine: Machine) -> bool:
    """False while the machine's agent has found no server, or one that is behind."""
    try:
        return is_token(cluster.consul(machine), cluster.consul_token)
    except ConsulErrors:
        return False


def give_nomad_its_token(cluster: Cluster, program: Path) -> None:
    """And wait for the clients."""
    wait_until(lambda: cluster.leader("nomad", cluster.servers), timeout_seconds=ELECTION_SECONDS)
    there = {"NOMAD_ADDR": f"https://{cluster.servers[0].address}:4646"}
    there["NOMAD_CACERT"] = str(cluster.servers[0].tls / "nomad-agent-ca.pem")
    cluster.nomad_token = made_by(program, "acl", "bootstrap", "-json", environment=there)["SecretID"]
    wait_until(lambda: ready_clients(cluster) == len(cluster.clients), timeout_seconds=ELECTION_SECONDS)


def ready_clients(cluster: Cluster) -> int:
    try:
        return sum(node["Status"] == "ready" for node in cluster.nomad(cluster.servers[0], "GET", "nodes"))
    except httpx.HTTPError:
        return 0
