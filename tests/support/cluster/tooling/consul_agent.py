"""One Consul agent on free loopback ports, its data in memory: without ACLs, or with those of production."""

import secrets
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from urllib3 import Retry

from tests.support.servers import wait_until
from tools.local_cluster.tokens import is_token, policy_names, provide_policies
from upschedule.deploy.consul import ConsulErrors, consul_client
from upschedule.deploy.http import BRIEF
from upschedule.operations.embedded.ports import free_port

STOP_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class ProtectedConsul:
    """`address` is HOST:PORT of the HTTP API; `tokens` has one for each policy in `consul/policies/`, by its name."""

    address: str
    tokens: Mapping[str, str]


@contextmanager
def running_protected_consul(program: Path, log: Path) -> Iterator[ProtectedConsul]:
    """Denies what a token's policy does not allow."""
    management, agent, node = str(uuid.uuid4()), str(uuid.uuid4()), f"tooling-{secrets.token_hex(4)}"
    acl = f"""
acl {{
  enabled        = true
  default_policy = "deny"
  tokens {{
    initial_management = "{management}"
    agent              = "{agent}"
  }}
}}
"""
    with running_consul(program, log, f"-node={node}", "-hcl", acl) as address:
        client = consul_client(f"http://{address}", management, retries=BRIEF)
        wait_until(lambda: is_token(client, management))
        provide_policies(client)
        client.acl.token.create(secret_id=agent, node_identities=[f"{node}:dc1"])
        tokens = {
            name: client.acl.token.create(policies_name=[f"upschedule-{name}"])["SecretID"] for name in policy_names()
        }
        yield ProtectedConsul(address=address, tokens=tokens)


@contextmanager
def running_consul(program: Path, log: Path, *more: str) -> Iterator[str]:
    """Gives HOST:PORT of its HTTP API; `more` are options of the command."""
    http, server, serf = (free_port() for _ in range(3))
    ports = {"http": http, "server": server, "serf-lan": serf, "serf-wan": -1, "dns": -1, "grpc": -1, "grpc-tls": -1}
    options = [f"-{name}-port={port}" for name, port in ports.items()]
    command = [program, "agent", "-dev", "-bind=127.0.0.1", "-disable-host-node-id", "-log-level=warn", *options]
    # As `consul/agent.hcl`, but sooner.
    command += ["-hcl", 'check_update_interval = "1s"', *more]
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


def passing(address: str, service: str, *, token: str = "") -> list[tuple[str, int]]:
    """Host and port of each instance whose checks all pass, and that the token may see."""
    _, found = consul_client(f"http://{address}", token, retries=BRIEF).health.service(service, passing=True)
    return [(entry["Service"]["Address"], entry["Service"]["Port"]) for entry in found]
