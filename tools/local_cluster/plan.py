"""Folder and ports of one cluster, which are chosen on the first start."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.local_cluster.errors import ClusterError
from upschedule.operations.embedded.ports import LOOPBACK, free_port, is_free

ROOT = Path(__file__).resolve().parents[2]
AGENT_PORTS = {
    "consul_http": 8500,
    "consul_server": 8300,
    "consul_serf": 8301,
    "nomad_http": 4646,
    "nomad_rpc": 4647,
    "nomad_serf": 4648,
}
# By the names of the stack's settings.
SERVICE_PORTS = {
    "httpsPort": 8443,
    "httpPort": 8081,
    "postgresPort": 5432,
    "pgbouncerPort": 6432,
    "redisStatePort": 6379,
    "redisCachePort": 6380,
    "objectStorePort": 8333,
    "objectStoreMasterPort": 9333,
    "backupStorePort": 8334,
    "backupStoreMasterPort": 9334,
    "prometheusPort": 9090,
    "alertmanagerPort": 9093,
}
DEFAULT_PORTS = AGENT_PORTS | SERVICE_PORTS


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`cpu_mhz` and `memory_mb` are what Nomad may allocate, which can be more than the machine has.

    They suffice for 20 API instances and 50 workers beside everything else. Each task still has its own limit.
    """

    data: Path
    ports: Mapping[str, int]
    cpu_mhz: int = 64_000
    memory_mb: int = 147_456

    @property
    def name(self) -> str:
        """Unique among the clusters on this machine."""
        return f"upschedule-{self.ports['nomad_http']}"

    @property
    def env_file(self) -> Path:
        return self.data / "env"

    def address(self, port: str) -> str:
        return f"{LOOPBACK}:{self.ports[port]}"

    @property
    def consul_url(self) -> str:
        return f"http://{self.address('consul_http')}"

    @property
    def nomad_url(self) -> str:
        return f"http://{self.address('nomad_http')}"

    @property
    def public_url(self) -> str:
        return f"https://localhost:{self.ports['httpsPort']}"


def make_plan(data: Path, *, chosen: Mapping[str, int], free: bool = False) -> Plan:
    """Reads the ports of an existing cluster, or chooses new ones: free ports with `free`. Raises ClusterError."""
    if unknown := set(chosen) - set(DEFAULT_PORTS):
        raise ClusterError(f"No such port: {', '.join(sorted(unknown))}. There are {', '.join(DEFAULT_PORTS)}.")
    file = data / "ports.json"
    if file.exists():
        known: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
        if any(known.get(name) != port for name, port in chosen.items()):
            raise ClusterError(f"{data} holds a cluster with other ports; take it down with its data first.")
        # Those of services that the cluster did not have yet.
        known |= {name: free_port() for name in DEFAULT_PORTS if name not in known}
        file.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        return Plan(data=data, ports=known)
    ports = {**({name: free_port() for name in DEFAULT_PORTS} if free else DEFAULT_PORTS), **chosen}
    if taken := [f"{name} {port}" for name, port in ports.items() if not is_free(port)]:
        raise ClusterError(f"Ports in use: {', '.join(taken)}. Choose others (--port NAME=NUMBER) or --free-ports.")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(json.dumps(ports, indent=2) + "\n", encoding="utf-8")
    return Plan(data=data, ports=ports)
