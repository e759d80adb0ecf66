"""Starts and stops a Nomad agent that is a server and a client, and runs tasks with the exec driver."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.local_cluster.polling import wait_for
from tools.local_cluster.process import Process
from upschedule.deploy.errors import ServerError, ServerRefused
from upschedule.deploy.http import BRIEF
from upschedule.deploy.nomad import NomadClient, nomad_at
from upschedule.operations.embedded.passwords import write_private
from upschedule.operations.embedded.ports import LOOPBACK

READY_SECONDS = 60.0
# Callers poll, so a request is repeated only twice.
LOCAL_RETRIES = BRIEF.new(total=2)
READ_SECONDS = 15.0
STOP_SECONDS = 20.0
# Longer than the longest `shutdown_delay` and `kill_timeout` of a job together.
DRAIN_SECONDS = 120.0
PROCESSOR_GROUPS = Path("/sys/fs/cgroup/cpu")
# 0 attempts mean that there is no limit.
RETRY = {"attempts": 0, "backoff": "250ms", "max_backoff": "15s"}


@dataclass(frozen=True, kw_only=True)
class NomadAgent:
    """`chroot` and `volumes` define the files of the node that tasks see. Without `chroot`, the agent is a server only.

    `peers` are the addresses (HOST:SERF_PORT) of the other servers, `servers` how many there are in all.
    """

    program: Path
    folder: Path
    name: str
    http_port: int
    rpc_port: int
    serf_port: int
    consul_address: str
    consul_token: str
    management_token: str
    chroot: Mapping[str, str]
    volumes: Mapping[str, Path]
    cgroup: str
    cpu_mhz: int
    memory_mb: int
    address: str = LOOPBACK
    servers: int = 1
    peers: tuple[str, ...] = ()
    # Below the kernel's ephemeral range, and different from the ports that `free_port` returns.
    dynamic_ports: tuple[int, int] = (23_000, 29_999)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.http_port}"

    @property
    def api(self) -> NomadClient:
        endpoint = nomad_at(self.url, self.management_token)
        return NomadClient(endpoint, retries=LOCAL_RETRIES, read_seconds=READ_SECONDS)

    @property
    def process(self) -> Process:
        argv = [str(self.program), "agent", f"-config={self.folder / 'nomad.json'}"]
        return Process(name="nomad", folder=self.folder, argv=argv)

    def start(self) -> None:
        """Writes the configuration and starts the agent. Raises ClusterError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_private(self.folder / "nomad.json", json.dumps(self.configuration(), indent=2).encode())
        self.process.start()
        self.move_to_own_cgroup()

    def move_to_own_cgroup(self) -> None:
        """Moves the agent into a control group of its own, as systemd does.

        When it unpacks files for new tasks, it then gets at most about half of the processor time. This is needed only
        with version 1 of control groups, in which all tasks of Nomad are one group that competes with single processes.
        """
        pid = self.process.pid()
        if pid is not None and PROCESSOR_GROUPS.is_dir():
            group = PROCESSOR_GROUPS / self.cgroup
            group.mkdir(exist_ok=True)
            (group / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def await_node(self) -> None:
        """Waits until the management token exists and the node is ready for jobs. Raises ClusterError."""
        if not wait_for(self.is_ready, timeout_seconds=READY_SECONDS):
            raise self.process.failure(f"was not ready after {READY_SECONDS:.0f} s")

    def is_ready(self) -> bool:
        try:
            self.bootstrap()
            return any(node["Name"] == self.name and node["Status"] == "ready" for node in self.api.get("nodes"))
        except ServerError:
            return False

    def bootstrap(self) -> None:
        """Creates the management token. Does nothing if the cluster has one."""
        try:
            self.api.call("POST", "acl", "bootstrap", body={"BootstrapSecret": self.management_token})
        except ServerRefused as refusal:
            if refusal.status != 400:  # noqa: PLR2004 - "bad request": the token exists
                raise

    def accept_tasks(self) -> None:
        """Lets the node run tasks again after `end_tasks`. Raises ServerError."""
        node = self.node()
        if node["SchedulingEligibility"] != "eligible" or node["Drain"]:
            self.api.call("POST", "node", node["ID"], "drain", body={"DrainSpec": None, "MarkEligible": True})

    def end_tasks(self) -> None:
        """Ends all tasks of the node, until `accept_tasks`. Raises ServerError or ClusterError."""
        node = self.node()["ID"]
        # A deadline of -1 drains at once; each task still has its `kill_timeout`.
        self.api.call("POST", "node", node, "drain", body={"DrainSpec": {"Deadline": -1, "IgnoreSystemJobs": False}})
        if not wait_for(lambda: not self.unfinished_allocations(node), timeout_seconds=DRAIN_SECONDS):
            raise self.process.failure(f"did not stop its tasks within {DRAIN_SECONDS:.0f} s")
        self.api.call("PUT", "system", "gc")

    def unfinished_allocations(self, node: str) -> list[str]:
        """The ids of pending and running allocations."""
        found = self.api.get("node", node, "allocations")
        return [entry["ID"] for entry in found if entry["ClientStatus"] in {"pending", "running"}]

    def node(self) -> dict[str, Any]:
        for entry in self.api.get("nodes"):
            if entry["Name"] == self.name:
                return entry
        raise self.process.failure(f"has no node that is named {self.name}")

    def stop(self) -> None:
        self.process.stop(timeout_seconds=STOP_SECONDS)

    def configuration(self) -> dict[str, Any]:
        return {
            "data_dir": str(self.folder / "data"),
            "bind_addr": self.address,
            "name": self.name,
            "disable_update_check": True,
            # Tasks keep running while the agent restarts.
            "leave_on_interrupt": False,
            "leave_on_terminate": False,
            "ports": {"http": self.http_port, "rpc": self.rpc_port, "serf": self.serf_port},
            "advertise": {"http": self.address, "rpc": self.address, "serf": self.address},
            "acl": {"enabled": True},
            "server": {
                "enabled": True,
                "bootstrap_expect": self.servers,
                "server_join": {"retry_join": self.peers},
                "raft_multiplier": 1,
            },
            "client": self.client(),
            "plugin": [{"raw_exec": [{"config": [{"enabled": False}]}]}],
            "consul": {"address": self.consul_address, "token": self.consul_token},
            "telemetry": {
                "prometheus_metrics": True,
                "publish_allocation_metrics": True,
                "publish_node_metrics": True,
                "collection_interval": "5s",
            },
            "limits": {"http_max_conns_per_client": 300},
        }

    def client(self) -> dict[str, Any]:
        if not self.chroot:
            return {"enabled": False}
        return {
            "enabled": True,
            # Services are registered with the address of this interface.
            "network_interface": "lo",
            "cpu_total_compute": self.cpu_mhz,
            "memory_total_mb": self.memory_mb,
            "cgroup_parent": f"/{self.cgroup}",
            # Upper limit of a job's `kill_timeout`; Nomad's default is 30 s.
            "max_kill_timeout": "60s",
            # Templates ask Consul and Nomad again without a limit. By default a task would fail after twelve attempts.
            "template": {name: [RETRY] for name in ("consul_retry", "nomad_retry")},
            "min_dynamic_port": self.dynamic_ports[0],
            "max_dynamic_port": self.dynamic_ports[1],
            "options": {
                "fingerprint.denylist": "env_aws,env_gce,env_azure,env_digitalocean",
                "driver.allowlist": "exec",
                "user.denylist": "root,Administrator",
                "user.checked_drivers": "exec",
            },
            "chroot_env": dict(self.chroot),
            "host_volume": {name: {"path": str(path)} for name, path in self.volumes.items()},
        }
