"""A Consul server that denies by default, with the application's policy; killed and started again by a test."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.cluster.tooling.consul_agent import STOP_SECONDS, leader_of
from tests.support.paths import ROOT
from tests.support.servers import wait_until
from upschedule.operations.embedded.ports import free_port

POLICY = "application"
SETTINGS = "upschedule/settings/"
CONFIGURATION = """
server           = true
bootstrap_expect = 1
acl {{
  enabled        = true
  default_policy = "deny"
  tokens {{
    initial_management = "{management}"
  }}
}}
performance {{
  raft_multiplier = 1
}}
"""


class KeyServer:
    """`token` has the policy that the repository gives API, worker and scheduler; writing is the operator's."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.token = str(uuid.uuid4())
        self._management = str(uuid.uuid4())
        self._folder = folder
        names = ("http", "server", "serf-lan")
        ports = {name: free_port() for name in names} | {"serf-wan": -1, "dns": -1, "grpc": -1, "grpc-tls": -1}
        self._address = f"127.0.0.1:{ports['http']}"
        options = [f"-{name}-port={port}" for name, port in ports.items()]
        self._command = [program, "agent", "-bind=127.0.0.1", "-node=keys", "-log-level=warn", *options]
        self._process: subprocess.Popen[bytes] | None = None
        self._lives = 0

    @property
    def url(self) -> str:
        return f"http://{self._address}"

    def start(self, *, empty: bool = False) -> None:
        """With what it knew when it ended, or as a new one that knows the same tokens and no key."""
        self._lives += empty or not self._lives
        data = self._folder / f"data-{self._lives}"
        configuration = self._folder / "agent.hcl"
        configuration.write_text(CONFIGURATION.format(management=self._management), encoding="utf-8")
        command = [*self._command, f"-data-dir={data}", f"-config-file={configuration}"]
        with (self._folder / "log").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        wait_until(self._answers)
        if empty or not self._known_token():
            self._make_token()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_SECONDS)
        self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)

    def put(self, name: str, value: str | bytes) -> None:
        self.call("PUT", f"kv/{SETTINGS}{name}", value)

    def delete(self, name: str) -> None:
        self.call("DELETE", f"kv/{SETTINGS}{name}")

    def forget_all(self) -> None:
        self.call("DELETE", f"kv/{SETTINGS}?recurse=true")

    def restrict(self) -> None:
        """Takes every policy from the application's token; it stays a token."""
        self._token("PUT", f"acl/token/{self._accessor()}", [])

    def allow(self) -> None:
        """Gives the policy back."""
        self._token("PUT", f"acl/token/{self._accessor()}", [{"Name": POLICY}])

    def call(self, method: str, path: str, content: str | bytes | None = None) -> httpx.Response:
        headers = {"X-Consul-Token": self._management}
        answer = httpx.request(method, f"{self.url}/v1/{path}", content=content, headers=headers, timeout=10)
        return answer.raise_for_status()

    def _answers(self) -> bool:
        """A management token that is not there yet is refused."""
        if not leader_of(self._address):
            return False
        headers = {"X-Consul-Token": self._management}
        return httpx.get(f"{self.url}/v1/acl/policies", headers=headers, timeout=5).status_code == httpx.codes.OK

    def _known_token(self) -> bool:
        headers = {"X-Consul-Token": self.token}
        return httpx.get(f"{self.url}/v1/acl/token/self", headers=headers, timeout=5).status_code == httpx.codes.OK

    def _make_token(self) -> None:
        rules = (ROOT / f"consul/policies/{POLICY}.hcl").read_text(encoding="utf-8")
        self._json("PUT", "acl/policy", {"Name": POLICY, "Rules": rules})
        self._token("PUT", "acl/token", [{"Name": POLICY}])

    def _token(self, method: str, path: str, policies: list[dict[str, str]]) -> None:
        self._json(method, path, {"SecretID": self.token, "Policies": policies})

    def _accessor(self) -> str:
        tokens = self.call("GET", "acl/tokens").json()
        return next(token["AccessorID"] for token in tokens if token.get("SecretID") == self.token)

    def _json(self, method: str, path: str, body: object) -> None:
        headers = {"X-Consul-Token": self._management}
        httpx.request(method, f"{self.url}/v1/{path}", json=body, headers=headers, timeout=10).raise_for_status()


@contextmanager
def running_keys(program: Path, folder: Path) -> Iterator[KeyServer]:
    server = KeyServer(program, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
