"""One cluster for all tests of the folder, and its programs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.tooling.conftest import programs
from tests.support.cluster.ha.cluster import Cluster, running_cluster

__all__ = ["programs"]


@pytest.fixture(scope="module")
def cluster(programs: Path) -> Iterator[Cluster]:
    with running_cluster(programs) as running:
        yield running
