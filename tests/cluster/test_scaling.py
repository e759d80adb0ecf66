"""More and fewer instances, by hand and by the autoscaler, while students use the service (R1.3, R10.1, R10.2).

All run on one machine, whose processor does not grow with the number of instances. The tests measure the time until all
are healthy, not a higher throughput.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.releases import unlimited_traffic
from tests.support.cluster.whole.scaling import (
    HEALTHY_SECONDS,
    answering,
    asking_for_connections,
    await_passing,
    grow,
    measured,
    running,
    scale,
    scaled_by_hand,
    try_to_scale,
    wanted,
)
from tests.support.documents.generate import Document, document
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster

pytestmark = pytest.mark.timeout(2700)

FEW = 2
UNEVEN = 0.2
#: The autoscaler removes instances after three minutes without need.
QUIET_SECONDS = 400.0
#: The number of connections that PgBouncer keeps open to PostgreSQL, and its maximum (R3.1).
CONNECTIONS = range(50, 101)
FINISHED = 'sum by (alloc) (upschedule_jobs_finished_total{service="worker",outcome="completed"})'


# This is not in the CI: it takes four minutes, and two workers read a shorter queue as fast as the students send it.
@pytest.mark.long
@pytest.mark.parametrize(("workers", "documents"), [(4, 240), pytest.param(40, 480, id="full")])
def test_a_queue_brings_workers_and_quiet_sends_them_away(
    cluster: LocalCluster, figure: Figure, request: pytest.FixtureRequest, workers: int, documents: int
) -> None:
    """The autoscaler follows the measurements of Prometheus.

    It removes workers after three quiet minutes (R1.3, R10.2).
    """
    queue = long_documents(documents)
    wait_until(lambda: wanted(cluster, "worker") == FEW, timeout_seconds=QUIET_SECONDS)
    with unlimited_traffic(cluster, readers=4, pause_seconds=0.5) as students:
        began = time.monotonic()
        read = students.upload(queue, at_once=documents, within_seconds=HEALTHY_SECONDS, poll_seconds=documents / 60)
        wait_until(lambda: wanted(cluster, "worker") >= workers, timeout_seconds=300)
        figure(f"s from the first upload until Nomad wants {workers} workers", time.monotonic() - began)
        await_passing(cluster, "worker", workers)
        figure(f"s from the first upload until {workers} workers are healthy", time.monotonic() - began)
        read.result()
        figure(f"s until {documents} documents of up to 27 pages are read", time.monotonic() - began)
        figure("s that a request took at most", students.seen.slowest_seconds)
        if request.node.callspec.id == "full":
            quiet = time.monotonic()
            wait_until(lambda: running(cluster, "worker") == FEW, timeout_seconds=HEALTHY_SECONDS)
            figure(f"s from the last document until {FEW} workers are left", time.monotonic() - quiet)
    assert students.seen.failures == []
    assert students.seen.documents == documents


# Two cores serve no more requests than two instances do. With small numbers, the autoscaler needs little load to go to
# the bounds of the requirements, and all else is as in production.
@pytest.fixture(scope="module")
def small_instances(cluster: LocalCluster) -> Iterator[LocalCluster]:
    """The autoscaler wants an API instance for every three requests a second, and a worker for every two jobs."""
    small = {"apiRequestsPerInstance": "3", "workerJobsPerInstance": "2"}
    cluster.stack.configure(small, {})
    try:
        cluster.stack.up()
        yield cluster
    finally:
        for name in small:
            cluster.stack.run("config", "rm", name)
        cluster.stack.up()
        for job in ("api", "worker"):
            wait_until(lambda job=job: running(cluster, job) == FEW, timeout_seconds=HEALTHY_SECONDS)


@pytest.mark.long
@pytest.mark.parametrize(("instances", "readers"), [(6, 4), pytest.param(20, 16, id="full")])
def test_requests_bring_api_instances(
    small_instances: LocalCluster, figure: Figure, instances: int, readers: int
) -> None:
    """The autoscaler goes to this number by the requests of students, without a failed request (R10.1)."""
    cluster = small_instances
    with unlimited_traffic(cluster, readers=readers, pause_seconds=0.1) as students:
        began = time.monotonic()
        wait_until(lambda: wanted(cluster, "api") >= instances, timeout_seconds=HEALTHY_SECONDS)
        figure(f"s of load until Nomad wants {instances} API instances", time.monotonic() - began)
        await_passing(cluster, "api", instances)
        figure(f"s of load until {instances} API instances are healthy", time.monotonic() - began)
        wait_until(
            lambda: len(answering(cluster, requests=30 * instances, connections=2)) >= instances, timeout_seconds=60
        )
        figure("s that a request took at most", students.seen.slowest_seconds)
    assert students.seen.failures == []


@pytest.mark.long
@pytest.mark.parametrize(("instances", "documents"), [(6, 120), pytest.param(50, 480, id="full")])
def test_a_queue_brings_workers_up_to_the_bound(
    small_instances: LocalCluster, figure: Figure, instances: int, documents: int
) -> None:
    """The autoscaler goes to this number by the length of the queue, and every document is read (R10.2)."""
    cluster = small_instances
    queue = long_documents(documents)
    with unlimited_traffic(cluster, readers=2, pause_seconds=0.5) as students:
        began = time.monotonic()
        read = students.upload(queue, at_once=documents, within_seconds=HEALTHY_SECONDS, poll_seconds=documents / 60)
        wait_until(lambda: wanted(cluster, "worker") >= instances, timeout_seconds=HEALTHY_SECONDS)
        figure(f"s from the first upload until Nomad wants {instances} workers", time.monotonic() - began)
        await_passing(cluster, "worker", instances)
        figure(f"s from the first upload until {instances} workers are healthy", time.monotonic() - began)
        read.result()
        figure(f"s until {documents} documents of up to 27 pages are read", time.monotonic() - began)
    assert students.seen.failures == []
    assert students.seen.documents == documents


@pytest.mark.parametrize(
    ("instances", "requests"), [(6, 1_200), pytest.param(20, 4_000, marks=pytest.mark.long, id="full")]
)
def test_the_api_grows_and_shrinks_without_a_failed_request(
    cluster: LocalCluster, figure: Figure, instances: int, requests: int
) -> None:
    """Traefik distributes requests evenly, and the instances share PgBouncer's connections (R3.1, R10.1, R10.4)."""
    with scaled_by_hand(cluster), asking_for_connections(cluster) as connections:
        scale(cluster, "api", FEW)
        await_passing(cluster, "api", FEW)
        with unlimited_traffic(cluster, readers=8, pause_seconds=0.5) as students:
            began = time.monotonic()
            scale(cluster, "api", instances)
            await_passing(cluster, "api", instances)
            figure(f"s from {FEW} to {instances} API instances whose checks pass", time.monotonic() - began)
            wait_until(
                lambda: len(answering(cluster, requests=8 * instances, connections=2)) == instances,
                timeout_seconds=60,
            )
            with ThreadPoolExecutor(max_workers=1) as beside:
                asked = beside.submit(answering, cluster, requests=requests, connections=40)
                while not asked.done():
                    connections.count()
            shares = asked.result()
            even = shares.total() / instances
            figure(f"% of the even share that one of {instances} was off", 100 * furthest(shares, even))
            figure("connections of PostgreSQL at most under load", connections.most)

            scale(cluster, "api", FEW)
            wait_until(lambda: running(cluster, "api") == FEW, timeout_seconds=HEALTHY_SECONDS)
    assert students.seen.failures == []
    assert len(shares) == instances
    assert furthest(shares, even) <= UNEVEN
    assert connections.most in CONNECTIONS


def furthest(shares: dict[str, int], even: float) -> float:
    """The largest distance from the even share, relative to it."""
    return max(abs(share - even) for share in shares.values()) / even


@pytest.mark.parametrize(
    ("instances", "documents"), [(6, 48), pytest.param(50, 400, marks=pytest.mark.long, id="full")]
)
def test_workers_grow_and_shrink_and_every_document_is_read(
    cluster: LocalCluster, figure: Figure, instances: int, documents: int
) -> None:
    """Additional workers read a burst correctly, and it continues while most of them end (R1.3, R10.2)."""
    burst = [document(seed, rows_max=40) for seed in range(documents)]
    with scaled_by_hand(cluster), unlimited_traffic(cluster, readers=4, pause_seconds=0.5) as students:
        scale(cluster, "worker", FEW)
        await_passing(cluster, "worker", FEW)
        began = time.monotonic()
        grow(cluster, "worker", instances)
        figure(f"s from {FEW} to {instances} workers whose checks pass", time.monotonic() - began)
        read = students.upload(burst[: documents // 2], at_once=documents // 4)
        read.result()
        wait_until(lambda: len(busy(cluster)) > FEW, timeout_seconds=60)
        figure(f"of {instances} workers read {documents // 2} documents", len(busy(cluster)))
        rest = students.upload(burst[documents // 2 :], at_once=documents // 4)
        scale(cluster, "worker", FEW)
        rest.result()
        wait_until(lambda: running(cluster, "worker") == FEW, timeout_seconds=HEALTHY_SECONDS)
    assert students.seen.failures == []
    assert students.seen.documents == documents


def busy(cluster: LocalCluster) -> set[str]:
    """Workers that have read a document."""
    return {alloc for alloc, count in measured(cluster, FINISHED).items() if count > 0}


@pytest.mark.parametrize(
    ("job", "count", "bound"),
    [
        ("api", 21, "maximum: 21 > 20"),
        ("api", 1, "minimum: 1 < 2"),
        ("worker", 51, "maximum: 51 > 50"),
        ("worker", 1, "minimum: 1 < 2"),
    ],
)
def test_nomad_refuses_more_and_fewer_than_the_bounds(cluster: LocalCluster, job: str, count: int, bound: str) -> None:
    """The message says so, whichever command is used (R10.1, R10.2)."""
    before = wanted(cluster, job)
    refused = try_to_scale(cluster, job, count)
    assert refused.returncode != 0
    assert bound in refused.stderr
    assert wanted(cluster, job) == before


def long_documents(count: int) -> list[Document]:
    """Each document is uploaded by different visitors, for whom it is read again."""
    few = [document(seed, rows_max=150) for seed in range(6)]
    return [few[number % len(few)] for number in range(count)]
