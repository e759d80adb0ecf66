"""Planned restarts and the loss of parts with a single instance, while students use the service (R3.5, R10.5)."""

import copy
import re
import ssl
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.instances import (
    Instance,
    addresses,
    await_replaced,
    await_well,
    instances,
    restart,
    students_at_work,
    without,
)
from tests.support.cluster.whole.outages import visiting
from tests.support.cluster.whole.traffic import Seen
from tests.support.documents.generate import document
from tests.support.servers import wait_until
from tools.local_cluster.cluster import NAMESPACE, LocalCluster

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("two_of_each")]
#: The difference between two measurements on a busy machine.
NOISE_SECONDS = 2.0
#: The number of further rounds where the first comparison does not hold.
MORE_ROUNDS = 2
#: This is shorter than requests wait (R3.5) and than the students wait.
AWAY_SECONDS = 8.0
#: The longest `healthy_deadline` of the tested jobs, and one start.
REVERTED_SECONDS = 180
DOCUMENTS = 8
STATIC = re.compile(r"/static/[^\"]+\.css")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """`seconds` is the longest time between two answers to a visitor of a page that needs PostgreSQL."""

    seconds: float
    seen: Seen


def cost(cluster: LocalCluster, job: str, end: Callable[[Instance], None]) -> Cost:
    """Stops the job's only instance and measures until all is healthy again, including uploads."""
    with students_at_work(cluster) as students, visiting(cluster, "/api/v1/capacity") as visits:
        uploads = students.upload([document(seed, rows_max=20) for seed in range(DOCUMENTS)], at_once=3)
        wait_until(lambda: visits.answered > 0)
        # An instance that was just replaced may not have a process yet.
        wait_until(lambda: len(instances(cluster, job)) == 1)
        (stopped,) = instances(cluster, job)
        end(stopped)
        await_replaced(cluster, stopped, 1)
        uploads.result()
    return Cost(seconds=visits.longest_seconds, seen=students.seen)


def planned_cost(cluster: LocalCluster, job: str) -> Cost:
    return cost(cluster, job, lambda instance: restart(cluster, instance))


def median(costs: Sequence[Cost]) -> float:
    """The median of the seconds."""
    return statistics.median(each.seconds for each in costs)


@pytest.mark.parametrize(
    "job",
    [
        "pgbouncer",
        "traefik",
        *(
            pytest.param(job, marks=pytest.mark.long)
            for job in ("postgres", "redis-state", "redis-cache", "object-store", "prometheus", "autoscaler")
        ),
    ],
)
def test_a_planned_restart_costs_no_more_than_a_crash(cluster: LocalCluster, figure: Figure, job: str) -> None:
    """Compared are `nomad alloc restart` and `kill -9` (R3.5, R10.5).

    A pause of the whole machine, which happens under load, falls into one measurement only. So a first pair that does
    not hold is measured twice more, and the medians are compared: a fault of the restart shows in each round.
    """
    crashes, planned = [cost(cluster, job, Instance.kill)], [planned_cost(cluster, job)]
    if median(planned) > median(crashes) + NOISE_SECONDS:
        for _ in range(MORE_ROUNDS):
            crashes.append(cost(cluster, job, Instance.kill))
            planned.append(planned_cost(cluster, job))
    for what, costs in (("kill -9", crashes), ("a planned restart", planned)):
        figure(f"seconds at most between two answers at {what} of {job}", median(costs))
        figure(f"requests refused for a while at {what} of {job}", max(each.seen.refused for each in costs))
        figure(f"requests that failed at {what} of {job}", max(len(each.seen.failures) for each in costs))
    assert median(planned) <= median(crashes) + NOISE_SECONDS
    if job != "traefik":  # Without Traefik there is no answer.
        for each in (*crashes, *planned):
            assert each.seen.failures == [], each.seen.summary()
            assert each.seen.documents == DOCUMENTS


def test_without_pgbouncer_what_needs_it_waits_and_the_rest_is_served(cluster: LocalCluster, figure: Figure) -> None:
    """No instance is taken out of the routes (R3.5, R10.5)."""
    with (
        students_at_work(cluster) as students,
        visiting(cluster, static_file(cluster)) as static,
        visiting(cluster, "/health/live") as live,
    ):
        began = time.monotonic()
        with without(cluster, "pgbouncer"):
            wait_until(lambda: time.monotonic() > began + AWAY_SECONDS)
            routed = set(addresses(cluster, "api"))
        await_well(cluster)
    figure("slowest request in seconds while PgBouncer was away for 8 s or more", students.seen.slowest_seconds)
    figure("requests refused meanwhile", students.seen.refused)
    figure("seconds at most between two answers with a static file meanwhile", static.longest_seconds)
    assert len(routed) == 2
    assert (static.failures, live.failures) == ([], [])
    assert (students.seen.failures, students.seen.refusals) == ([], set()), students.seen.summary()


@pytest.mark.long
@pytest.mark.parametrize("job", ["pgbouncer", "redis-cache"])
def test_a_wrong_configuration_is_replaced_within_its_bounds(cluster: LocalCluster, figure: Figure, job: str) -> None:
    """Nomad restores the previous one (R10.5). `tooling/test_traefik.py` tests Traefik's."""
    right = cluster.nomad.api.get("job", job, namespace=NAMESPACE)
    (version,) = (each for each in versions(cluster, job) if each["Version"] == right["Version"])
    assert version["Stable"]
    wrong = copy.deepcopy(right)
    wrong["TaskGroups"][0]["Tasks"][0]["Config"]["args"] = ["/nothing/here"]
    with students_at_work(cluster) as students, visiting(cluster, "/api/v1/capacity") as visits:
        began = time.monotonic()
        cluster.nomad.api.call("PUT", "jobs", body={"Job": wrong})
        wait_until(lambda: is_reverted(cluster, job, right["Version"]), timeout_seconds=REVERTED_SECONDS)
        await_well(cluster)
        figure(f"seconds until a wrong configuration of {job} was replaced", time.monotonic() - began)
    figure(f"seconds at most between two answers with a wrong configuration of {job}", visits.longest_seconds)
    figure(f"requests refused for a while with a wrong configuration of {job}", students.seen.refused)
    figure(f"requests that failed with a wrong configuration of {job}", len(students.seen.failures))


def versions(cluster: LocalCluster, job: str) -> list[dict[str, Any]]:
    return cluster.nomad.api.get("job", job, "versions", namespace=NAMESPACE)["Versions"]


def is_reverted(cluster: LocalCluster, job: str, before: int) -> bool:
    """Whether a version after the wrong one is stable."""
    return any(each["Stable"] and each["Version"] > before + 1 for each in versions(cluster, job))


def static_file(cluster: LocalCluster) -> str:
    """The path of the style sheet."""
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)
    with httpx.Client(base_url=cluster.plan.public_url, verify=verify, timeout=20) as client:
        found = STATIC.search(client.get("/").raise_for_status().text)
    assert found
    return found.group()
