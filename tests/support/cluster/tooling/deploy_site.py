"""A namespace of a real Nomad in which releases go out, and `upschedule deploy` with a deploy token for it."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.cluster.tooling.consul_agent import ProtectedConsul, running_protected_consul
from tests.support.cluster.tooling.nomad_agent import Agent, running_agent
from tests.support.cluster.tooling.releases import JOBS, RELEASE_VOLUME, Release
from tests.support.cluster.tooling.sleeper_jobs import unique
from tests.support.paths import ROOT
from tests.support.servers import wait_until
from upschedule.deploy.clock import Clock
from upschedule.deploy.decisions import PATH as DECISIONS
from upschedule.deploy.environment import cluster_from
from upschedule.deploy.nomad import NomadClient, nomad_at
from upschedule.deploy.rollout_state import derive

COMMAND_SECONDS = 150


@dataclass(frozen=True, kw_only=True)
class CommandOutput:
    """What the command printed, and how it ended."""

    code: int
    text: str


@dataclass(frozen=True, kw_only=True)
class ReleaseNode:
    """Nomad, and the Consul that it registers instances with."""

    agent: Agent
    consul: ProtectedConsul


@dataclass(frozen=True, kw_only=True)
class Site:
    """A namespace of its own; `token` is a deploy token for it. Its commands have the deploy policy of Consul."""

    node: ReleaseNode
    namespace: str
    token: str

    @property
    def agent(self) -> Agent:
        return self.node.agent

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "NOMAD_ADDR": self.agent.address,
            "NOMAD_TOKEN": self.token,
            "NOMAD_NAMESPACE": self.namespace,
            "CONSUL_HTTP_ADDR": self.node.consul.address,
            "CONSUL_HTTP_TOKEN": self.node.consul.tokens["deploy"],
        }

    def deploy(self, *arguments: str, **environment: str) -> CommandOutput:
        """`environment` goes before the site's own."""
        command = [sys.executable, "-m", "upschedule", "deploy", *arguments]
        variables = {**self.environment, **environment}
        done = subprocess.run(
            command, env=variables, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        return CommandOutput(code=done.returncode, text=done.stdout + done.stderr)

    def nomad(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """With the deploy token."""
        command = [self.agent.program, *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )

    def release(self, release: Release, *jobs: str) -> None:
        """Starts a release like `pulumi up`, whose token manages Nomad."""
        release.start(self.agent, self.namespace, *jobs)

    def promote(self, *jobs: str) -> None:
        """With Nomad's own command, and waits for the roll-out."""
        for name in jobs or JOBS:
            done = self.nomad("deployment", "promote", self.deployment(name)["ID"])
            assert done.returncode == 0, done.stdout + done.stderr
        self.await_phase("settled", *jobs)

    def deployment(self, job: str) -> dict[str, Any]:
        """The last one."""
        found: dict[str, Any] = self.agent.call("GET", f"job/{job}/deployment", namespace=self.namespace)
        return found

    def scale(self, job: str, *counts: int) -> None:
        """Scales like the autoscaler, with its token, and waits for each change."""
        token = _token(self.agent, f"{self.namespace}-autoscaler", _rules("autoscaler_rules", self.namespace))
        nomad = NomadClient(nomad_at(self.agent.address, token), query={"namespace": self.namespace})
        for count in counts:
            nomad.call("POST", "job", job, "scale", body={"Count": count, "Target": {"Group": job}, "Message": "load"})
            wait_until(lambda: self.deployment(job)["Status"] == "successful", timeout_seconds=60)

    def versions(self, job: str) -> list[dict[str, Any]]:
        """Newest first."""
        found: list[dict[str, Any]] = self.agent.call("GET", f"job/{job}/versions", namespace=self.namespace)[
            "Versions"
        ]
        return found

    def records(self) -> list[dict[str, str]]:
        """The recorded releases, oldest first, without the log of decisions beside them."""
        listed = self.agent.call("GET", "vars", namespace=self.namespace, prefix="releases/")
        paths = [each["Path"] for each in listed if each["Path"] != DECISIONS]
        return [
            self.agent.call("GET", f"var/{quote(path, safe='')}", namespace=self.namespace)["Items"]
            for path in sorted(paths)
        ]

    def stack_applied(self, release: str) -> None:
        """Writes what `pulumi up` writes after it has registered the jobs, with a token that manages Nomad."""
        body = {"Path": "stack/applied", "Items": {"release": release}}
        self.agent.call("PUT", "var/stack%2Fapplied", body, namespace=self.namespace)

    def with_old_token(self) -> "Site":
        """With a deploy token from before the records, which may read no Variable."""
        rules = re.sub(r"\n  variables \{.*?\n  \}\n", "\n", _deploy_rules(self.namespace), flags=re.DOTALL)
        return replace(self, token=_token(self.agent, f"{self.namespace}-old", rules))

    def with_supervisor_token(self) -> "Site":
        rules = _rules("supervisor_rules", self.namespace, release_volume=RELEASE_VOLUME)
        return replace(self, token=_token(self.agent, f"{self.namespace}-supervisor", rules))

    def phases(self) -> dict[str, str]:
        cluster = cluster_from(self.environment, clock=Clock(), report=print)
        return {name: str(derive(cluster.nomad.job_snapshot(name)).phase) for name in JOBS}

    def await_phase(self, phase: str, *jobs: str) -> None:
        def reached() -> bool:
            seen[:] = [self.phases()[job] for job in jobs or JOBS]
            return set(seen) == {phase}

        seen: list[str] = []
        try:
            wait_until(reached, timeout_seconds=90)
        except AssertionError as error:
            error.add_note(f"{seen} and not {phase}:\n{self.deploy('status').text}")
            raise

    def running(self, job: str) -> set[str]:
        """Releases of the instances that run and are to."""
        allocations = self.agent.call("GET", f"job/{job}/allocations", namespace=self.namespace)
        versions = self.agent.call("GET", f"job/{job}/versions", namespace=self.namespace)["Versions"]
        releases_of = {version["Version"]: version["Meta"]["release"] for version in versions}
        return {
            releases_of[each["JobVersion"]]
            for each in allocations
            if each["ClientStatus"] == "running" and each["DesiredStatus"] == "run"
        }

    def restarts(self, job: str) -> int:
        """The restarts of all tasks of its instances that should run."""
        return sum(
            state["Restarts"]
            for each in self.agent.call("GET", f"job/{job}/allocations", namespace=self.namespace)
            if each["DesiredStatus"] == "run"
            for state in (each["TaskStates"] or {}).values()
        )


@contextmanager
def running_node(programs: Path, log: Path) -> Iterator[ReleaseNode]:
    """Both with ACLs."""
    with running_protected_consul(programs / "consul", log) as consul:
        configuration = f"""
consul {{
  address = "{consul.address}"
  token   = "{consul.tokens["nomad"]}"
}}
client {{
  host_volume "{RELEASE_VOLUME}" {{
    path = "{log.parent}"
  }}
}}
"""
        with running_agent(programs / "nomad", configuration) as agent:
            yield ReleaseNode(agent=agent, consul=consul)


@contextmanager
def site_in(node: ReleaseNode) -> Iterator[Site]:
    """Its jobs end with it."""
    name, agent = unique("deploy"), node.agent
    agent.call("POST", f"namespace/{name}", {"Name": name})
    yield Site(node=node, namespace=name, token=deploy_token(agent, name))
    for job in agent.call("GET", "jobs", namespace=name):
        agent.call("DELETE", f"job/{job['ID']}", namespace=name, purge="true")


def deploy_token(agent: Agent, namespace: str) -> str:
    """A new one, with the rights that `pulumi up` gives it."""
    return _token(agent, unique("deploy"), _deploy_rules(namespace))


def _deploy_rules(namespace: str) -> str:
    return _rules("deploy_rules", namespace, release_volume=RELEASE_VOLUME)


def _rules(name: str, *arguments: str, **options: str) -> str:
    """The rules that the Pulumi program writes."""
    rules: str = runpy.run_path(str(ROOT / "pulumi" / "components" / "access.py"))[name](*arguments, **options)
    return rules


def _token(agent: Agent, name: str, rules: str) -> str:
    agent.call("POST", f"acl/policy/{name}", {"Name": name, "Rules": rules})
    made = agent.call("POST", "acl/token", {"Name": name, "Type": "client", "Policies": [name]})
    secret: str = made["SecretID"]
    return secret
