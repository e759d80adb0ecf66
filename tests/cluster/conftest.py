"""The cluster that tests share, and the figures that they measure, which are printed at the end of the run."""

from collections.abc import Callable, Generator, Iterator

import pytest

from tests.support.cluster.whole.backups import await_first_backup
from tests.support.cluster.whole.cluster import running_cluster
from tests.support.cluster.whole.fixed_numbers import FixedNumbers
from tests.support.cluster.whole.logs import slow_requests
from tests.support.cluster.whole.releases import deploy
from tools.local_cluster.cluster import LocalCluster

CLUSTER = pytest.StashKey[LocalCluster]()
#: The property of a test's report that contains its figures, also when another process runs the test.
FIGURE = "figure"
FIRST_BACKUP_SECONDS = 300.0
FIXED_NUMBERS = pytest.StashKey[FixedNumbers]()
Figure = Callable[[str, float], None]


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    """The cluster of the whole run. Every test leaves it healthy."""
    with running_cluster() as running:
        request.config.stash[CLUSTER] = running
        # Tests compare which instances run, and stop servers that the backup needs.
        await_first_backup(running, timeout_seconds=FIRST_BACKUP_SECONDS)
        yield running


@pytest.fixture(scope="module", autouse=True)
def end_of_watch(request: pytest.FixtureRequest) -> Iterator[None]:
    """The next module breaks parts of the cluster. This must not count against a release that was promoted before."""
    yield
    if running := request.config.stash.get(CLUSTER, None):
        deploy(running, "accept", "--reason", "the tests of another module begin")


@pytest.fixture(scope="session")
def fixed_numbers(cluster: LocalCluster, request: pytest.FixtureRequest) -> Iterator[FixedNumbers]:
    """Consecutive modules share the state without an autoscaler, since reaching it and leaving it takes a minute."""
    numbers = request.config.stash[FIXED_NUMBERS] = FixedNumbers(cluster)
    yield numbers
    numbers.release()


@pytest.fixture(scope="module")
def two_of_each(fixed_numbers: FixedNumbers) -> None:
    """Two instances of the API and of the worker, which the autoscaler does not change."""
    fixed_numbers.fix()


@pytest.fixture(scope="module", autouse=True)
def autoscaler(request: pytest.FixtureRequest) -> None:
    """Starts the autoscaler again for a module that does not use `two_of_each`."""
    used = {name for mark in request.node.iter_markers("usefixtures") for name in mark.args}
    numbers = request.config.stash.get(FIXED_NUMBERS, None)
    if numbers is not None and "two_of_each" not in used:
        numbers.release()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Records a measured value with its name and unit."""

    def record(what: str, value: float) -> None:
        request.node.user_properties.append((FIGURE, f"{value:10.1f}  {what}  ({request.node.name})"))

    return record


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test on the whole cluster shows the slow requests that the API logged."""
    report = yield
    running = item.config.stash.get(CLUSTER, None)
    if report.failed and running is not None and (slow := slow_requests(running)):
        report.sections.append(("slow requests", slow))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = (report for reports in terminalreporter.stats.values() for report in reports)
    last = (report for report in reports if isinstance(report, pytest.TestReport) and report.when == "teardown")
    figures = [str(text) for report in last for name, text in report.user_properties if name == FIGURE]
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)
