"""A Consul server that denies by default, with the application's policy; killed and started again by a test."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from urllib3 import Retry

from tests.support.cluster.tooling.consul_agent import STOP_SECONDS, leader_of
from tests.support.servers import wait_until
from tools.local_cluster.tokens import is_token, provide_policies
from upschedule.deploy.consul import ConsulErrors, consul_client
from upschedule.deploy.http import BRIEF
from upschedule.operations.embedded.ports import free_port

POLICY = "upschedule-application"
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

    @property
    def operator_token(self) -> str:
        """May write keys."""
        return self._management

    @property
    def client(self) -> Any:
        """With the management token."""
        return consul_client(self.url, self._management, retries=BRIEF)

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
        if empty or not is_token(self.client, self.token):
            self._create_token()

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
        assert self.client.kv.put(f"{SETTINGS}{name}", value)

    def delete(self, name: str) -> None:
        assert self.client.kv.delete(f"{SETTINGS}{name}")

    def forget_all(self) -> None:
        assert self.client.kv.delete(SETTINGS, recurse=True)

    def restrict(self) -> None:
        """Takes every policy from the application's token; it stays a token."""
        self._set_policies([])

    def allow(self) -> None:
        """Gives the policy back."""
        self._set_policies([POLICY])

    def _answers(self) -> bool:
        """A management token that is not there yet is refused."""
        if not leader_of(self._address):
            return False
        try:
            return bool(consul_client(self.url, self._management, retries=Retry(0)).acl.policy.list())
        except ConsulErrors:
            return False

    def _create_token(self) -> None:
        client = self.client
        provide_policies(client)
        client.acl.token.create(secret_id=self.token, policies_name=[POLICY])

    def _set_policies(self, names: list[str]) -> None:
        client = self.client
        accessor = client.acl.token.read_self(token=self.token)["AccessorID"]
        client.acl.token.update(accessor, secret_id=self.token, policies_name=names)


@contextmanager
def running_keys(program: Path, folder: Path) -> Iterator[KeyServer]:
    server = KeyServer(program, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
