"""The runbook of a lost keystore: the stack creates everything again on fresh servers (R8.2, R9.4)."""

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.tooling.conftest import STAND_INS, copy_program
from tests.cluster.tooling.test_program import CONFIGURATION, SECRETS, configure
from tests.support.cluster.program.whole_program import manifest
from tests.support.cluster.tooling.nomad_agent import Agent, running_agent
from tests.support.cluster.tooling.pulumi_stack import Stack
from tests.support.cluster.whole.runbooks import follow

pytestmark = pytest.mark.timeout(400)
#: Secrets that Nomad itself makes are new on a new server.
MADE_BY_NOMAD = "nomad_token"


def secrets_of(agent: Agent) -> dict[str, dict[str, Any]]:
    """The items of all variables of the stack, by path."""
    paths = [found["Path"] for found in agent.call("GET", "vars", namespace="whole")]
    return {path: agent.call("GET", f"var/{path}", namespace="whole")["Items"] for path in paths}


def jobs_of(agent: Agent) -> set[str]:
    return {job["ID"] for job in agent.call("GET", "jobs", namespace="whole") if not job["Stop"]}


def test_without_the_keys_the_stack_creates_every_secret_again(programs: Path, tmp_path: Path) -> None:
    """The variables have the same secrets as before, and all jobs are there."""
    copy_program(tmp_path)
    with running_agent(programs / "nomad") as lost:
        stack = Stack(tmp_path, [*STAND_INS, programs], lost.environment)
        configure(stack, {**CONFIGURATION, "release": manifest("1")}, SECRETS)
        stack.up().expect_success()
        secrets, jobs = secrets_of(lost), jobs_of(lost)
    assert "nomad/jobs/postgres" in secrets
    assert "api" in jobs

    with running_agent(programs / "nomad") as fresh:
        environment = {**stack.environment, **fresh.environment, "NOMAD_NAMESPACE": "whole"}
        follow("nomad-down", "Without the keys", environment=environment, folder=stack.project)

        again = secrets_of(fresh)
        assert again.keys() == secrets.keys()
        for path, items in secrets.items():
            different = {name for name, value in items.items() if again[path][name] != value}
            assert different <= {name for name in items if MADE_BY_NOMAD in name.lower()}, path
        assert jobs_of(fresh) == jobs
