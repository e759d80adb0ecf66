"""One Consul agent without ACLs on free loopback ports, its data in memory."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from urllib3 import Retry

from tests.support.servers import wait_until
from upschedule.deploy.consul import ConsulErrors, consul_client
from upschedule.deploy.http import BRIEF
from upschedule.operations.embedded.ports import free_port

STOP_SECONDS = 20


@contextmanager
def running_consul(program: Path, log: Path) -> Iterator[str]:
    """Gives HOST:PORT of its HTTP API."""
    http, server, serf = (free_port() for _ in range(3))
    ports = {"http": http, "server": server, "serf-lan": serf, "serf-wan": -1, "dns": -1, "grpc": -1, "grpc-tls": -1}
    options = [f"-{name}-port={port}" for name, port in ports.items()]
    command = [program, "agent", "-dev", "-bind=127.0.0.1", "-disable-host-node-id", "-log-level=warn", *options]
    # As `consul/agent.hcl`, but sooner.
    command += ["-hcl", 'check_update_interval = "1s"']
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    address = f"127.0.0.1:{http}"
    try:
        wait_until(lambda: leader_of(address))
        yield address
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def leader_of(address: str) -> str:
    """Empty while there is none."""
    try:
        return consul_client(f"http://{address}", "", retries=Retry(0)).status.leader()
    except ConsulErrors:
        return ""


def passing(address: str, service: str) -> list[tuple[str, int]]:
    """Host and port of each instance whose checks all pass."""
    _, found = consul_client(f"http://{address}", "", retries=BRIEF).health.service(service, passing=True)
    return [(entry["Service"]["Address"], entry["Service"]["Port"]) for entry in found]
