"""One machine of a production cluster, on a loopback address: its agents run the files in `consul/` and `nomad/`."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from tests.support.paths import ROOT

STOP_SECONDS = 20
#: Added to the examples: only what ten agents on one machine need.
CONSUL_HERE = """
client_addr = "{address}"
log_level   = "WARN"
data_dir    = "{folder}/consul"
tls {{
  defaults {{
    ca_file   = "{tls}/consul-agent-ca.pem"
    cert_file = "{tls}/dc1-{role}-consul-0.pem"
    key_file  = "{tls}/dc1-{role}-consul-0-key.pem"
  }}
}}
"""
NOMAD_HERE = """
log_level = "WARN"
data_dir  = "{folder}/data"
addresses {{
  http = "{address}"
}}
consul {{
  address = "{address}:8500"
}}
tls {{
  ca_file   = "{tls}/nomad-agent-ca.pem"
  cert_file = "{tls}/global-{role}-nomad.pem"
  key_file  = "{tls}/global-{role}-nomad-key.pem"
}}
"""
CLIENT_HERE = """
client {{
  cpu_total_compute = 3000
  memory_total_mb   = 4096
  cgroup_parent     = "/{cgroup}"
  min_dynamic_port  = {first_port}
  max_dynamic_port  = {last_port}

  host_volume "releases" {{
    path = "{folder}"
  }}
}}
"""


@dataclass(kw_only=True)
class Machine:
    """`role` is server or client; the last number of `address` makes its ports and control groups its own."""

    programs: Path
    folder: Path
    tls: Path
    address: str
    role: str
    values: dict[str, str] = field(repr=False)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, subprocess.Popen[bytes]])

    @property
    def name(self) -> str:
        return f"{self.role}-{self._number}"

    @property
    def cgroup(self) -> str:
        return f"upschedule-ha-{self._number}"

    @property
    def ports(self) -> range:
        """The ports of its allocations."""
        first = 20_000 + self._number * 100
        return range(first, first + 100)

    @property
    def _number(self) -> int:
        return int(self.address.rpartition(".")[2])

    def start_consul(self) -> None:
        example = [ROOT / "consul" / "production.hcl"]
        if self.role == "server":
            example.append(ROOT / "consul" / "production-server.hcl")
        machine = self._filled(ROOT / "consul" / "production-machine.hcl")
        self._start("consul", "-config-file", [*example, machine, self._here("consul.hcl", CONSUL_HERE)])

    def start_nomad(self, consul_token: str) -> None:
        """`consul_token` is the one that Nomad shows to Consul."""
        self.values["CONSUL_TOKEN"] = consul_token
        example = [ROOT / "nomad" / "agent.hcl", ROOT / "nomad" / f"{self.role}.hcl"]
        machine = self._filled(ROOT / "nomad" / f"machine-{self.role}.hcl")
        here = NOMAD_HERE + (CLIENT_HERE if self.role == "client" else "")
        self._start("nomad", "-config", [*example, machine, self._here("nomad.hcl", here)])

    def kill(self, program: str) -> None:
        process = self.running.pop(program)
        process.kill()
        process.wait(STOP_SECONDS)

    def log(self, program: str) -> str:
        """The last lines."""
        return (self.folder / f"{program}.log").read_text(errors="replace")[-3000:]

    def _filled(self, example: Path) -> Path:
        """Fills in variables like envsubst."""
        values = {**self.values, "NODE_NAME": self.name, "NODE_ADDRESS": self.address, "NETWORK_INTERFACE": "lo"}
        path = self.folder / example.name
        path.write_text(Template(example.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
        return path

    def _here(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(
            text.format(
                folder=self.folder,
                tls=self.tls,
                role=self.role,
                address=self.address,
                cgroup=self.cgroup,
                first_port=self.ports.start,
                last_port=self.ports.stop - 1,
            ),
            encoding="utf-8",
        )
        return path

    def _start(self, program: str, option: str, files: Sequence[Path]) -> None:
        command = [self.programs / program, "agent", *(f"{option}={path}" for path in files)]
        with (self.folder / f"{program}.log").open("ab") as log:
            self.running[program] = subprocess.Popen(command, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]})
