"""The program's jobs, run as they are: isolated, without rights, with their secrets, found by Consul (R11.1, R11.2)."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import redis

from tests.cluster.tooling.agent import Agent, running_agent
from tests.cluster.tooling.conftest import copy_program, stack_in
from tests.cluster.tooling.consul import passing, running_consul
from tests.cluster.tooling.test_program import CONFIGURATION, SECRETS, SERVICES, configure
from tests.servers import scratch_directory, wait_until
from upschedule.operations.embedded import programs as wheels
from upschedule.operations.embedded.ports import free_port

NOBODY = 65_534
HEALTHY_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Node:
    """A Nomad agent whose client runs the `exec` driver, with Consul beside it."""

    agent: Agent
    consul: str


@pytest.fixture(scope="module")
def node(programs: Path) -> Iterator[Node]:
    with scratch_directory() as folder:
        volume = folder / "redis-state"
        volume.mkdir()
        os.chown(volume, NOBODY, NOBODY)
        with (
            running_consul(programs / "consul", folder / "consul.log") as consul,
            running_agent(programs / "nomad", node_configuration(consul, volume)) as agent,
        ):
            yield Node(agent=agent, consul=consul)


def node_configuration(consul: str, volume: Path) -> str:
    """Tasks see the two servers, the libraries that they load, and the list of users."""
    seen = {str(wheels.valkey_server().resolve()): "/usr/bin/valkey-server", "/etc/passwd": "/etc/passwd"}
    seen |= {str(wheels.traefik().resolve()): "/usr/bin/traefik", "/etc/group": "/etc/group"}
    seen |= libraries(wheels.valkey_server())
    chroot = "\n".join(f'"{outside}" = "{inside}"' for outside, inside in seen.items())
    return f"""
consul {{
  address = "{consul}"
}}
client {{
  options = {{
    "driver.allowlist" = "exec"
  }}
  host_volume "redis-state" {{
    path = "{volume}"
  }}
  chroot_env {{
    {chroot}
  }}
}}
"""


def libraries(program: Path) -> dict[str, str]:
    """Files behind the shared libraries, with the paths at which the program looks for them."""
    told = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {str(Path(path).resolve()): path for path in re.findall(r"(/\S+) \(0x", told)}


@pytest.mark.timeout(240)
def test_every_service_runs_without_rights_and_is_found_by_consul(node: Node, programs: Path, tmp_path: Path) -> None:
    """From one `up`; what the state Redis holds survives its job."""
    ports = {"httpPort": str(free_port()), "httpsPort": str(free_port())}
    copy_program(tmp_path)
    with stack_in(tmp_path, programs, node.agent) as stack:
        configure(stack, {**CONFIGURATION, **ports, "consulAddress": node.consul}, SECRETS)
        stack.up().expect_success()
        wait_until(lambda: all(passing(node.consul, service) for service in SERVICES), timeout_seconds=HEALTHY_SECONDS)

        assert users_of_tasks(node.agent) == {NOBODY}
        assert policy_of(node.consul, "redis-state", SECRETS["redisStatePassword"]) == "noeviction"
        assert policy_of(node.consul, "redis-cache", SECRETS["redisCachePassword"]) == "allkeys-lru"
        assert httpx.get(f"http://127.0.0.1:{ports['httpPort']}/", timeout=5).status_code == 301
        stack.destroy().expect_success()

    wait_until(lambda: not any(passing(node.consul, service) for service in SERVICES), timeout_seconds=HEALTHY_SECONDS)


def policy_of(consul: str, service: str, password: str) -> str | None:
    """What this Redis does when its memory is full."""
    ((host, port),) = passing(consul, service)
    with redis.Redis(host=host, port=port, password=password, decode_responses=True) as client:
        return client.config_get("maxmemory-policy")["maxmemory-policy"]


def users_of_tasks(agent: Agent) -> set[int]:
    """Of the processes that Nomad's executors started."""
    running = [entry["ID"] for entry in agent.call("GET", "allocations", namespace="*")]
    found: set[int] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            program = (process / "cmdline").read_bytes().split(b"\0")[0]
        except OSError:
            continue  # It ended meanwhile.
        if program.startswith(b"/usr/bin/") and any(f"NOMAD_ALLOC_ID={id_}".encode() in environment for id_ in running):
            found.add(process.stat().st_uid)
    return found
