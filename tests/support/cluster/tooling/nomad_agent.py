"""One Nomad agent, server and client, with ACLs, on free loopback ports."""

import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from tests.support.cluster.tooling.nomad_certificates import Certificates
from tools.local_cluster.agent_cleanup import clean_up
from upschedule.operations.embedded.ports import free_port

READY_SECONDS = 40
STOP_SECONDS = 20
CONFIGURATION = """
data_dir             = "{data}"
bind_addr            = "127.0.0.1"
name                 = "tooling"
log_level            = "WARN"
disable_update_check = true
leave_on_interrupt   = true
leave_on_terminate   = true
ports {{
  http = {http}
  rpc  = {rpc}
  serf = {serf}
}}
advertise {{
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}}
acl {{
  enabled = true
}}
server {{
  enabled          = true
  bootstrap_expect = 1
}}
client {{
  enabled           = true
  network_interface = "lo"
  cpu_total_compute = 2000
  cgroup_parent     = "/{cgroup}"
  options = {{
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"
    "driver.allowlist"     = "raw_exec"
  }}
}}
plugin "raw_exec" {{
  config {{
    enabled    = true
    no_cgroups = true
  }}
}}
"""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """`token` may do everything; `call` uses it. `data` is the agent's `data_dir`."""

    program: Path
    address: str
    token: str
    data: Path
    verify: ssl.SSLContext | bool = True

    @property
    def environment(self) -> dict[str, str]:
        return {"NOMAD_ADDR": self.address, "NOMAD_TOKEN": self.token}

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None, **query: str) -> Any:
        """The decoded answer, None where there is none. Raises httpx.HTTPStatusError."""
        answer = httpx.request(
            method,
            f"{self.address}/v1/{path}",
            content=None if body is None else json.dumps(body),
            params=query,
            headers=self._headers(token),
            timeout=20,
            verify=self.verify,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def status(self, path: str, *, token: str | None = None, **query: str) -> int:
        """The status of the answer to a GET request."""
        url = f"{self.address}/v1/{path}"
        return httpx.get(url, params=query, headers=self._headers(token), timeout=20, verify=self.verify).status_code

    def _headers(self, token: str | None) -> dict[str, str]:
        used = token or self.token
        return {"X-Nomad-Token": used} if used else {}

    def nomad(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line's answer; its exit code is the caller's to judge."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(
            [self.program, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
        )


@contextmanager
def running_agent(
    program: Path,
    more: str = "",
    *,
    certificates: Certificates | None = None,
    prepare: Callable[[Path], None] | None = None,
) -> Iterator[Agent]:
    """Ends the agent and every task it started, and removes what it wrote.

    `more` is configuration in HCL. `prepare` is given the `data_dir` before the agent starts.
    """
    with tempfile.TemporaryDirectory(prefix="upschedule-nomad-") as folder:
        data = Path(folder)
        http, rpc, serf = (free_port() for _ in range(3))
        cgroup = f"upschedule-tooling-{http}"
        (data / "agent.hcl").write_text(
            CONFIGURATION.format(data=data / "data", http=http, rpc=rpc, serf=serf, cgroup=cgroup), encoding="utf-8"
        )
        (data / "more.hcl").write_text(more + (certificates.configuration if certificates else ""), encoding="utf-8")
        address = f"{'https' if certificates else 'http'}://127.0.0.1:{http}"
        command = [program, "agent", *(f"-config={data / name}" for name in ("agent.hcl", "more.hcl"))]
        if prepare:
            prepare(data / "data")
        with (data / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            verify = certificates.context() if certificates else True
            agent = Agent(program=program, address=address, token="", data=data / "data", verify=verify)
            yield ready(process, data / "log", agent)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)
            clean_up(data, cgroup)
            shutil.rmtree(data / "data")


def ready(process: subprocess.Popen[bytes], log: Path, agent: Agent) -> Agent:
    """With a token, once a node can take jobs."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if not agent.token:
                agent = replace(agent, token=agent.call("POST", "acl/bootstrap")["SecretID"])
            if any(node["Status"] == "ready" for node in agent.call("GET", "nodes")):
                return agent
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"Nomad did not become ready:\n{log.read_text(errors='replace')[-3000:]}")
