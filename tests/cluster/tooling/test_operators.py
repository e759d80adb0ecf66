"""`upschedule ops` finds a real scheduler through Consul and reads its token from Nomad, with no other rights."""

import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.support.cluster.tooling.consul_agent import ProtectedConsul
from tests.support.cluster.tooling.deploy_site import ReleaseNode, Site, site_in
from tests.support.cluster.tooling.sleeper_jobs import unique
from tests.support.identities import as_process
from tests.support.paths import ROOT
from tests.support.processes.health_pages import await_ready
from tests.support.services import Addresses
from upschedule.operations.embedded.ports import free_port
from upschedule.stores.bucket import BucketAddress

TOKEN = "for tests, and longer than thirty-two characters"


@pytest.fixture(scope="module")
def site(release_node: ReleaseNode) -> Iterator[Site]:
    """Nomad and Consul. `token` is a deploy token."""
    with site_in(release_node) as running:
        body = {"Path": "operators/ops", "Items": {"token": TOKEN}}
        running.agent.call("PUT", "var/operators%2Fops", body, namespace=running.namespace)
        yield running


@pytest.fixture
def scheduler(
    postgres_dsn: str, redis_state_url: str, redis_cache_url: str, object_store: BucketAddress, tmp_path: Path
) -> Iterator[int]:
    """The port of a running scheduler."""
    addresses = Addresses(
        postgres_dsn=postgres_dsn,
        redis_state_url=redis_state_url,
        redis_cache_url=redis_cache_url,
        objects=object_store,
    )
    port = free_port()
    settings = {"SCHEDULER_PORT": str(port), "SCHEDULER_OPERATOR_TOKEN": TOKEN}
    environment = as_process(addresses.environment(settings), "scheduler")
    with (tmp_path / "log").open("w") as log:
        command = [sys.executable, "-m", "upschedule", "schedule"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            await_ready(port)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def register(consul: ProtectedConsul, port: int, *tags: str) -> None:
    """Registers an instance as Nomad does, but without a check, so Consul considers it healthy."""
    service = {"ID": f"scheduler-{port}", "Name": "scheduler", "Address": "127.0.0.1", "Port": port, "Tags": tags}
    answer = urllib3.request(
        "PUT",
        f"http://{consul.address}/v1/agent/service/register",
        headers={"X-Consul-Token": consul.tokens["nomad"]},
        json=service,
        timeout=10.0,
    )
    assert answer.status == 200, answer.data


def operator_token(site: Site) -> str:
    """A token with the rules of the cluster's program."""
    rules = runpy.run_path(str(ROOT / "pulumi" / "components" / "access.py"))["operator_rules"](site.namespace)
    name = unique("operator")
    site.agent.call("POST", f"acl/policy/{name}", {"Name": name, "Rules": rules})
    token: dict[str, Any] = site.agent.call("POST", "acl/token", {"Name": name, "Type": "client", "Policies": [name]})
    return token["SecretID"]


def ops(site: Site, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    variables: Mapping[str, str] = {**os.environ, **site.environment, **environment}
    command = [sys.executable, "-m", "upschedule", "ops", *words]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)


def test_an_operator_needs_a_token_that_reads_one_variable(site: Site, scheduler: int) -> None:
    """The command ignores a canary and an instance that has ended.

    The token cannot read anything else in Nomad (R8.1).
    """
    without_scheduler = ops(site, "status", NOMAD_TOKEN=operator_token(site))
    assert without_scheduler.returncode == 69
    assert "Consul names no healthy scheduler" in without_scheduler.stderr
    register(site.node.consul, free_port(), "canary")
    register(site.node.consul, free_port())
    register(site.node.consul, scheduler)

    token = operator_token(site)
    status = ops(site, "status", NOMAD_TOKEN=token)
    assert status.returncode == 0, status.stderr
    assert "queue: open" in status.stdout
    assert ops(site, "resume", "--reason", "to try it", NOMAD_TOKEN=token).returncode == 0
    assert "to try it" in ops(site, "status", NOMAD_TOKEN=token).stdout

    deploying = ops(site, "status")
    assert (deploying.returncode, "may this token do that?" in deploying.stderr) == (77, True)
    jobs = subprocess.run(
        [site.agent.program, "job", "status"],
        env=site.environment | {"NOMAD_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Permission denied" in jobs.stdout + jobs.stderr
