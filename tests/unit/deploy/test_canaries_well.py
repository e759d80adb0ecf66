"""The canary's share of the visitors ends early if it restarts, fails, or no longer waits (R12.2)."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.support.builders.gate_context import gate_context
from tests.support.builders.nomad_answers import allocation, deployment, events, specification
from tests.support.cluster.program.nomad_server import Nomad, answer, running_nomad
from upschedule.deploy.clock import Clock
from upschedule.deploy.gate import canaries_well

API = "/v1/job/api"
STARTED = ("Started", "Task started by client", 0)
KILLED = ("Terminated", "Exit Code: 137, Signal: 9", 137)


@pytest.fixture
def server() -> Iterator[Nomad]:
    with running_nomad() as running:
        versions = [specification(1, "two", stable=False), specification(0, "one")]
        running.answers = {
            f"{API}/versions": answer({"Versions": versions}),
            f"{API}/evaluations": answer([]),
        }
        yield running


def runs(server: Nomad, *told: tuple[str, str, int], restarts: int = 0, status: str = "running") -> None:
    """Sets the canary's task, and the state of the release's deployment."""
    tasks: dict[str, Any] = {"serve": {**events(*told), "State": "running", "Failed": False, "Restarts": restarts}}
    canary = allocation("canary", 1, tasks=tasks)
    release = deployment(1, status, canaries=("canary",), desired_canaries=1)
    server.answers[f"{API}/allocations"] = answer([msgspec.to_builtins(canary)])
    server.answers[f"{API}/deployments"] = answer([msgspec.to_builtins(release)])


def test_a_canary_that_was_killed_gets_no_more_visitors_though_it_runs_again(server: Nomad) -> None:
    """Nomad restarts it, and it is healthy and waits as before."""
    context = gate_context(server.address, clock=Clock())
    runs(server, STARTED)
    waiting = context.watcher.poll()
    assert canaries_well(context, waiting)

    runs(server, STARTED, KILLED, STARTED, restarts=1)
    assert not canaries_well(context, waiting)


def test_a_deployment_that_failed_ends_the_share(server: Nomad) -> None:
    context = gate_context(server.address, clock=Clock())
    runs(server, STARTED)
    waiting = context.watcher.poll()

    runs(server, STARTED, status="failed")
    assert not canaries_well(context, waiting)
