"""One Consul agent: the files of `consul/`, and what is this machine's."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.local_cluster.plan import ROOT
from tools.local_cluster.polling import wait_for
from tools.local_cluster.process import Process
from upschedule.deploy.consul import ConsulErrors, consul_client
from upschedule.deploy.http import BRIEF
from upschedule.operations.embedded.passwords import write_private
from upschedule.operations.embedded.ports import LOOPBACK

READY_SECONDS = 60.0
# Callers poll, so a request gives up soon.
LOCAL_RETRIES = BRIEF.new(total=2)
STOP_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class ConsulAgent:
    """A server. `peers` are the addresses (HOST:SERF_PORT) of the others, `servers` how many there are in all.

    `node_token` is the agent's own, `management_token` may do everything; both are of our choice.
    """

    program: Path
    folder: Path
    name: str
    http_port: int
    server_port: int
    serf_port: int
    management_token: str
    node_token: str
    address: str = LOOPBACK
    servers: int = 1
    peers: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.http_port}"

    @property
    def client(self) -> Any:
        return consul_client(self.url, self.management_token, retries=LOCAL_RETRIES)

    @property
    def process(self) -> Process:
        files = (ROOT / "consul" / "agent.hcl", self.folder / "consul.json")
        options = [f"-config-file={file}" for file in files]
        return Process(name="consul", folder=self.folder, argv=[str(self.program), "agent", *options])

    def start(self) -> None:
        """Raises ClusterError. Servers elect a leader once `servers` of them run: see `await_leader`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_private(self.folder / "consul.json", json.dumps(self.configuration(), indent=2).encode())
        self.process.start()

    def await_leader(self) -> None:
        """Raises ClusterError."""
        if not wait_for(self.has_leader, timeout_seconds=READY_SECONDS):
            raise self.process.failure(f"elected no leader in {READY_SECONDS:.0f} s")

    def has_leader(self) -> bool:
        try:
            # A read that only a server with a leader answers.
            return bool(self.client.status.leader() and self.client.catalog.nodes()[1])
        except ConsulErrors:
            return False

    def stop(self) -> None:
        self.process.stop(timeout_seconds=STOP_SECONDS)

    def configuration(self) -> dict[str, Any]:
        return {
            "data_dir": str(self.folder / "data"),
            "node_name": self.name,
            "server": True,
            "bootstrap_expect": self.servers,
            "retry_join": self.peers,
            "bind_addr": self.address,
            "advertise_addr": self.address,
            "client_addr": self.address,
            "ports": {
                "http": self.http_port,
                "server": self.server_port,
                "serf_lan": self.serf_port,
                "serf_wan": -1,
                "dns": -1,
                "grpc": -1,
                "grpc_tls": -1,
            },
            "acl": {"tokens": {"initial_management": self.management_token, "agent": self.node_token}},
        }
