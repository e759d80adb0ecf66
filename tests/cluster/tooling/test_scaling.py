"""Prometheus and the autoscaler as in the cluster: instances follow a measured queue (R1.3, R6.2, R10.2)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.cluster.tooling.consul_agent import passing, running_consul
from tests.support.cluster.tooling.metrics_server import MetricsServer, serving_metrics
from tests.support.cluster.tooling.nomad_agent import Agent, running_agent
from tests.support.paths import ROOT
from tests.support.servers import scratch_directory, wait_until
from tools.local_cluster.chroot import libraries
from upschedule.deploy.consul import consul_client
from upschedule.deploy.http import BRIEF
from upschedule.operations.embedded.ports import free_port

NOBODY = 65_534
PROGRAMS = (Path("/usr/bin/prometheus"), Path("/usr/bin/sleep"))
SCHEDULER, CANARY = (f"_nomad-task-{digit * 8}-0000-4000-8000-000000000000-group-x-x-health" for digit in "ac")
# The scaling block of the workers' job, for another task.
POOL = """
job "worker" {
  group "worker" {
    count = 1

    update {
      min_healthy_time = "1s"
    }

    scaling {
      enabled = true
      min     = 1
      max     = 5

      policy {
        check "wanted" {
          source       = "prometheus"
          query        = "upschedule:worker:wanted"
          query_window = "10s"

          strategy "pass-through" {}
        }
      }
    }

    task "work" {
      driver = "exec"
      user   = "nobody"

      config {
        command = "/usr/bin/sleep"
        args    = ["3600"]
      }

      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
"""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """`lose_consul` stops Consul. `token` is the autoscaler's."""

    agent: Agent
    consul: str
    prometheus: str
    lose_consul: ExitStack
    token: str


@pytest.fixture
def cluster(programs: Path) -> Iterator[Cluster]:
    with ExitStack() as owned:
        folder = owned.enter_context(scratch_directory())
        volume = folder / "prometheus"
        volume.mkdir()
        os.chown(volume, NOBODY, NOBODY)
        losable = owned.enter_context(ExitStack())
        consul = losable.enter_context(running_consul(programs / "consul", folder / "consul.log"))
        agent = owned.enter_context(running_agent(programs / "nomad", node(programs, consul, volume)))
        port = free_port()
        names = ("recorded.yml", "capacity.yml")
        rules = {name: (ROOT / "monitoring/rules" / name).read_text(encoding="utf-8") for name in names}
        put_variable(agent, "nomad/jobs/prometheus", {"consul_token": "none"})
        given = {"rules": json.dumps(rules), "scrape_seconds": "1"}
        none = {
            "edge_url": "",
            "redis_servers": "{}",
            "runbooks_url": "none",
            "alertmanager_address": f"127.0.0.1:{free_port()}",
        }
        run(agent, "prometheus", volume="prometheus", port=str(port), **given, **none)
        token = start_autoscaler(agent, f"http://127.0.0.1:{port}")
        wait_until(lambda: all(passing(consul, name) for name in ("prometheus", "autoscaler")), timeout_seconds=60)
        yield Cluster(
            agent=agent, consul=consul, prometheus=f"http://127.0.0.1:{port}", lose_consul=losable, token=token
        )


def node(programs: Path, consul: str, volume: Path) -> str:
    """Tasks see three programs, the libraries that they load, and the list of users."""
    files = {str(path.resolve()): str(path) for path in PROGRAMS} | {"/etc/passwd": "/etc/passwd"}
    files |= {str(programs / "nomad-autoscaler"): "/usr/bin/nomad-autoscaler"}
    files |= {str(Path(path).resolve()): path for path in libraries(PROGRAMS)}
    chroot = "\n".join(f'"{outside}" = "{inside}"' for outside, inside in files.items())
    return f"""
consul {{
  address = "{consul}"
}}
client {{
  options = {{
    "driver.allowlist" = "exec"
  }}
  host_volume "prometheus" {{
    path = "{volume}"
  }}
  chroot_env {{
    {chroot}
  }}
}}
"""


def run(agent: Agent, job: str, **variables: str) -> None:
    given = {"namespace": "default", "user": "nobody", **variables}
    words = [word for name, value in given.items() for word in ("-var", f"{name}={value}")]
    done = agent.nomad("job", "run", "-detach", *words, str(ROOT / "jobs" / f"{job}.nomad.hcl"))
    assert done.returncode == 0, done.stderr


def put_variable(agent: Agent, path: str, items: dict[str, str]) -> None:
    agent.call("PUT", f"var/{path}", {"Path": path, "Items": items})


def start_autoscaler(agent: Agent, prometheus: str) -> str:
    """Starts the autoscaler with a token that has the rights of the stack's policy."""
    agent.call("POST", "acl/policy/autoscaler", {"Name": "autoscaler", "Rules": autoscaler_rules("default")})
    token = agent.call("POST", "acl/token", {"Name": "autoscaler", "Type": "client", "Policies": ["autoscaler"]})
    put_variable(agent, "nomad/jobs/autoscaler", {"nomad_token": token["SecretID"]})
    run(
        agent,
        "autoscaler",
        program="/usr/bin/nomad-autoscaler",
        nomad_address=agent.address,
        prometheus_address=prometheus,
        evaluation_seconds="1",
        cooldown_seconds="1",
    )
    return token["SecretID"]


def autoscaler_rules(namespace: str) -> str:
    """The rules of the cluster's own program, whose modules the tests cannot import."""
    program = f"from components.access import autoscaler_rules; print(autoscaler_rules({namespace!r}))"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=ROOT / "pulumi", stdout=subprocess.PIPE, text=True, check=True).stdout


def registrations(cluster: Cluster) -> Any:
    """The services of Consul's agent."""
    return consul_client(f"http://{cluster.consul}", "", retries=BRIEF).agent.service


def announce(cluster: Cluster, id_: str, service: str, port: int, *tags: str) -> None:
    """Registers an instance as Nomad does."""
    assert registrations(cluster).register(
        service, service_id=id_, address="127.0.0.1", port=port, tags=["prometheus", *tags]
    )


def query(cluster: Cluster, expression: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{cluster.prometheus}/api/v1/query", params={"query": expression}, timeout=5)
    return answer.raise_for_status().json()["data"]["result"]


def value(cluster: Cluster, expression: str) -> float | None:
    """The value of the only series, or None where there is none."""
    found = query(cluster, expression)
    return float(found[0]["value"][1]) if found else None


def targets(cluster: Cluster) -> set[str]:
    """The services that Prometheus scrapes."""
    return {entry["metric"]["service"] for entry in query(cluster, "up")}


def autoscaler_requests(cluster: Cluster) -> float:
    """The number of the autoscaler's queries. No other client uses range queries."""
    return value(cluster, 'sum(prometheus_http_requests_total{handler="/api/v1/query_range"})') or 0


def count(cluster: Cluster) -> int:
    return cluster.agent.call("GET", "job/worker/scale")["TaskGroups"]["worker"]["Desired"]


def await_count(cluster: Cluster, wanted: int) -> None:
    wait_until(lambda: count(cluster) == wanted, timeout_seconds=60)


def depth(server: MetricsServer, due: int) -> None:
    server.show(f'upschedule_queue_depth{{state="due"}} {due}\n')


@pytest.mark.timeout(300)
def test_workers_follow_the_queue_pause_for_a_canary_and_targets_outlive_consul(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Scaling pauses while a canary runs, and Prometheus keeps its targets when Consul is lost (R1.3, R10.2, R12.2)."""
    with serving_metrics() as scheduler:
        depth(scheduler, 25)
        announce(cluster, SCHEDULER, "scheduler", scheduler.port)
        file = tmp_path / "worker.nomad.hcl"
        file.write_text(POOL, encoding="utf-8")
        done = cluster.agent.nomad("job", "run", "-detach", str(file))
        assert done.returncode == 0, done.stderr
        await_count(cluster, 3)
        (series,) = query(cluster, 'up{service="scheduler"}')
        labels = {name: series["metric"][name] for name in ("alloc", "canary", "instance")}
        alloc = SCHEDULER.removeprefix("_nomad-task-")[:36]
        assert labels == {"alloc": alloc, "canary": "no", "instance": f"127.0.0.1:{scheduler.port}"}

        forbidden = ("var/nomad/jobs/autoscaler", "nodes", "acl/tokens")
        assert {cluster.agent.status(path, token=cluster.token) for path in forbidden} == {403}

        announce(cluster, CANARY, "worker", free_port(), "canary")
        wait_until(lambda: value(cluster, 'count(up{service="worker",canary="yes"})') == 1, timeout_seconds=30)
        wait_until(lambda: value(cluster, "upschedule:worker:wanted") is None, timeout_seconds=30)
        depth(scheduler, 95)
        wait_until(lambda: value(cluster, "max(upschedule:worker:wanted_by)") == 10, timeout_seconds=30)
        evaluations = autoscaler_requests(cluster)
        wait_until(lambda: autoscaler_requests(cluster) >= evaluations + 15, timeout_seconds=60)
        assert count(cluster) == 3

        assert registrations(cluster).deregister(CANARY)
        await_count(cluster, 5)

        known = targets(cluster)
        assert {"scheduler", "prometheus", "autoscaler"} <= known
        cluster.lose_consul.close()
        depth(scheduler, 7)
        wait_until(lambda: value(cluster, "sum(upschedule:queue_depth:max)") == 7, timeout_seconds=30)
        assert targets(cluster) == known


def test_the_rules_say_what_their_own_tests_expect() -> None:
    """Prometheus's own tool runs the tests of the rules."""
    done = subprocess.run(
        ["promtool", "test", "rules", *sorted(map(str, (ROOT / "monitoring" / "tests").glob("*.yml")))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
