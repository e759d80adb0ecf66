"""The cluster that tests share; the figures that they measure are told at the end of the run, to be cited."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.cluster.whole.cluster import running_cluster
from tests.support.cluster.whole.instances import await_well
from tests.support.cluster.whole.releases import tried
from tests.support.cluster.whole.scaling import await_passing, scale
from tools.local_cluster.cluster import LocalCluster

FIGURES = pytest.StashKey[list[str]]()
Figure = Callable[[str, float], None]


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Every test leaves it healthy."""
    with running_cluster() as running:
        yield running


@pytest.fixture(scope="module")
def two_of_each(cluster: LocalCluster) -> Iterator[None]:
    """Of what there may be more than one of; the autoscaler, which would follow the load, leaves them alone."""
    with tried(cluster, {"scalingEnabled": "false"}):
        for job in ("api", "worker"):
            scale(cluster, job, 2)
            await_passing(cluster, job, 2)
        await_well(cluster)
        yield


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Takes what was measured, with its unit, and the value."""
    told = request.config.stash.setdefault(FIGURES, [])

    def tell(what: str, value: float) -> None:
        told.append(f"{value:10.1f}  {what}  ({request.node.name})")

    return tell


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash.get(FIGURES, [])
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)
