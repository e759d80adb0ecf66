"""A canary worker's share of the documents: the template of the job file on a real Nomad and Consul (R12.2)."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.cluster.program.job_files import text_with_names
from tests.support.cluster.tooling.consul_agent import running_consul
from tests.support.cluster.tooling.nomad_agent import Agent, running_agent
from tests.support.servers import wait_until
from upschedule.runtime.rollout_gate import LiveState, state_of

_TEMPLATE = re.compile(
    r'destination = "\$\{NOMAD_TASK_DIR\}/standing"\s+change_mode = "noop"\s+data += <<-EOF\n(.*?)\n +EOF', re.DOTALL
)
VARIABLE = "nomad/jobs/worker/worker"
FAR = 4_000_000_000
SLEEPER = """
job "worker" {
  datacenters = ["*"]
  group "worker" {
    task "work" {
      driver = "raw_exec"
      config {
        command = "/bin/sleep"
        args    = ["600"]
      }
      template {
        destination = "${NOMAD_TASK_DIR}/standing"
        change_mode = "noop"
        data        = <<-EOF
%s
        EOF
      }
      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
"""


class Canary:
    """The single instance of the worker's job. `tag` sets the tags of its registration in Consul."""

    def __init__(self, agent: Agent, consul: str) -> None:
        self._agent = agent
        self._consul = consul
        self.id = next(found["ID"] for found in agent.call("GET", "job/worker/allocations"))

    def tag(self, *tags: str) -> None:
        body = {"ID": f"_nomad-task-{self.id}-work-worker-http", "Name": "worker", "Tags": list(tags)}
        httpx.put(f"http://{self._consul}/v1/agent/service/register", json=body, timeout=10).raise_for_status()

    def give(self, instance: str, percent: int) -> None:
        items = {"instance": instance, "percent": str(percent), "until": str(FAR)}
        self._agent.call("PUT", f"var/{VARIABLE}", {"Path": VARIABLE, "Items": items})

    def take_away(self) -> None:
        self._agent.call("DELETE", f"var/{VARIABLE}")

    def await_state(self, folder: Path, state: LiveState) -> None:
        """The worker's own code parses the file."""

        def reached() -> bool:
            shown = self._agent.nomad("alloc", "fs", self.id, "work/local/standing")
            (folder / "standing").write_text(shown.stdout)
            return shown.returncode == 0 and shown.stdout.strip() != "" and state_of(folder / "standing") == state

        wait_until(reached, timeout_seconds=30)


@pytest.fixture
def canary(programs: Path, tmp_path: Path) -> Iterator[Canary]:
    with (
        running_consul(programs / "consul", tmp_path / "consul.log") as consul,
        running_agent(programs / "nomad", f'consul {{\n  address = "{consul}"\n}}\n') as agent,
    ):
        found = _TEMPLATE.search(text_with_names("worker").replace("${var.process}", "worker"))
        assert found is not None
        job = tmp_path / "worker.nomad.hcl"
        job.write_text(SLEEPER % found[1], encoding="utf-8")
        # The template waits for the registration, so the task is not running yet.
        agent.nomad("job", "run", "-detach", str(job)).check_returncode()
        wait_until(lambda: agent.call("GET", "job/worker/allocations"))
        yield Canary(agent, consul)


def test_a_share_reaches_the_canary_that_it_is_meant_for_and_no_other(canary: Canary, tmp_path: Path) -> None:
    """The share changes and ends while the worker runs, with the identity that Nomad gives to its task."""
    none, live = LiveState(live=False), LiveState(live=True)
    canary.give("an earlier canary", 50)
    canary.tag("prometheus", "canary")
    canary.await_state(tmp_path, none)
    canary.give(canary.id, 5)
    canary.await_state(tmp_path, LiveState(live=False, share=0.05))
    canary.give(canary.id, 20)
    canary.await_state(tmp_path, LiveState(live=False, share=0.2))
    canary.take_away()
    canary.await_state(tmp_path, none)
    canary.give(canary.id, 5)
    canary.tag("prometheus")
    canary.await_state(tmp_path, live)
