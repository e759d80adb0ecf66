"""Fixtures: the programs of `make cluster-tools`, a Nomad agent for all tests, and a Pulumi stack for each."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cluster.tooling import edge
from tests.support.cluster.tooling.deploy_site import ReleaseNode, Site, running_node, site_in
from tests.support.cluster.tooling.edge import Node
from tests.support.cluster.tooling.nomad_agent import Agent, running_agent
from tests.support.cluster.tooling.pulumi_stack import Stack
from tests.support.paths import ROOT
from tests.support.servers import scratch_directory
from tools.cluster.plugin_fallback import project_plugins

STAND_INS = [ROOT / "tools" / "pulumi-language-python", ROOT / "tools" / "pulumi-resource-nomad"]


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder that contains nomad, consul, nomad-autoscaler and pulumi."""
    command = [sys.executable, "-m", "tools.cluster.build", "--print-path"]
    answer = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return Path(answer.stdout.split(":")[0])


@pytest.fixture(scope="session")
def agent(programs: Path) -> Iterator[Agent]:
    with running_agent(programs / "nomad") as running:
        yield running


@pytest.fixture(scope="session")
def release_node(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseNode]:
    """One node for all tests of releases. Each test has its own namespace."""
    with running_node(programs, tmp_path_factory.mktemp("consul") / "log") as node:
        yield node


@pytest.fixture
def site(release_node: ReleaseNode) -> Iterator[Site]:
    with site_in(release_node) as created:
        yield created


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A temporary folder that servers without root rights can reach."""
    with scratch_directory() as created:
        yield created


@pytest.fixture(scope="module")
def edge_node(programs: Path, folder: Path) -> Iterator[Node]:
    """A node for the job of Traefik. Each module starts its own, since only one edge runs on a node."""
    with edge.running_node(programs, folder) as running:
        yield running


@pytest.fixture
def stack(programs: Path, agent: Agent, tmp_path: Path) -> Iterator[Stack]:
    """A stack of an empty project."""
    with stack_in(tmp_path, programs, agent) as created:
        yield created


@pytest.fixture
def project(programs: Path, agent: Agent, tmp_path: Path) -> Iterator[Stack]:
    """A stack of the cluster's own program."""
    copy_program(tmp_path)
    with stack_in(tmp_path, programs, agent) as created:
        yield created


def copy_program(folder: Path) -> None:
    """Copies the program with job files and rules, since Pulumi writes the stack's settings into its project."""
    shutil.copytree(ROOT / "pulumi", folder / "project")
    description = folder / "project" / "Pulumi.yaml"
    plugins = f"plugins: {json.dumps(project_plugins(STAND_INS))}\n"
    description.write_text(description.read_text(encoding="utf-8") + plugins, encoding="utf-8")
    shutil.copytree(ROOT / "jobs", folder / "jobs")
    shutil.copytree(ROOT / "monitoring", folder / "monitoring")
    # This folder defines what each process may do in the stores.
    privileges = Path("src/upschedule/operations/privileges")
    shutil.copytree(ROOT / privileges, folder / privileges)


@contextmanager
def stack_in(folder: Path, programs: Path, agent: Agent) -> Iterator[Stack]:
    """A stack that uses the project's own plugins, even where the official ones are installed.

    It is destroyed at the end.
    """
    created = Stack(folder, [*STAND_INS, programs], agent.environment)
    yield created
    if created.resources():
        created.unprotect()
        created.destroy().expect_success()
