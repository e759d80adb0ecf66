"""The runbooks for outages and for machines without room, followed on the whole cluster (issue 12)."""

import re
import ssl
from collections.abc import Iterator

import httpx
import pytest
import redis

from tests.support.cluster.whole import causes
from tests.support.cluster.whole.instances import asked, await_well, instances, without
from tests.support.cluster.whole.runbooks import follow, shell
from tests.support.documents.generate import document
from tests.support.servers import wait_until
from tools.local_cluster.cluster import NAMESPACE, LocalCluster

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("two_of_each")]
PATIENCE_SECONDS = 120.0


@pytest.fixture
def student(cluster: LocalCluster) -> Iterator[httpx.Client]:
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)
    with httpx.Client(base_url=cluster.plan.public_url, verify=verify, timeout=30) as client:
        yield client


def test_a_slow_instance_is_found_and_replaced(cluster: LocalCluster, student: httpx.Client) -> None:
    """Another one answers in its place, and all is well again."""
    environment = shell(cluster)
    before = {instance.allocation for instance in instances(cluster, "api")}

    def measured() -> set[str]:
        student.get("/")
        shown = follow("instance-slow", "Which", environment=environment)
        return {each for each in before if re.search(rf"\b{each[:8]}", shown)}

    wait_until(measured, timeout_seconds=PATIENCE_SECONDS)
    slow = min(measured())

    used = follow("instance-slow", "What it uses", environment={**environment, "ALLOCATION": slow})
    assert "Memory" in used
    follow("instance-slow", "Replace it", environment={**environment, "ALLOCATION": slow})

    after = {instance.allocation for instance in instances(cluster, "api")}
    assert slow not in after
    assert len(after) == len(before)


def test_the_part_that_is_down_is_named(cluster: LocalCluster) -> None:
    """Traefik is stopped, so that nothing answers at the public address while all other parts are well."""
    environment = shell(cluster)
    well = follow("everything-down", "Look", environment=environment)
    assert "does not answer" not in well
    assert "Not all is well" not in well

    with without(cluster, "traefik"):
        output = follow("everything-down", "Look", environment=environment)
        assert "The public address does not answer." in output
        assert "Consul does not answer." not in output
        assert "Nomad does not answer." not in output
    await_well(cluster)

    follow("everything-down", "Is it over?", environment=environment)


def test_what_fills_a_disk_is_shown_and_ended_allocations_are_removed(cluster: LocalCluster) -> None:
    """The logs of an allocation that ended are gone, and those that run stay."""
    environment = {**shell(cluster), "FOLDER": str(cluster.plan.data)}
    running = {instance.allocation for job in ("api", "worker") for instance in instances(cluster, job)}
    follow("instance-slow", "Replace it", environment={**environment, "ALLOCATION": (ended := min(running))})
    folder = cluster.plan.data / "nomad" / "data" / "alloc"
    assert (folder / ended).exists()

    assert "disk=" in follow("disk-full", "Which", environment=environment)
    assert str(cluster.plan.data) in follow("disk-full", "What fills it", environment=environment)
    follow("disk-full", "Remove ended allocations", environment=environment)

    wait_until(lambda: not (folder / ended).exists(), timeout_seconds=PATIENCE_SECONDS)
    assert all((folder / each).exists() for each in running - {ended})
    await_well(cluster)


def test_a_document_is_read_although_the_state_of_redis_was_lost(cluster: LocalCluster, student: httpx.Client) -> None:
    """The wake-up message was lost, and the scheduler sends another (R2.3). The session of the student continues."""
    environment = shell(cluster)
    with causes.paused_queue(cluster):
        files = {"file": ("schedule.pdf", document(23, rows_max=4).data, "application/pdf")}
        job = student.post("/api/v1/uploads", files=files).raise_for_status().json()["id"]
        host, _, port = cluster.plan.address("redisStatePort").partition(":")
        word = cluster.credentials.password("redisStatePassword")
        with redis.Redis(host=host, port=int(port), password=word) as client:
            assert client.flushall()
        assert "running" in follow("redis-lost", "Look", environment=environment)

    # Not by requests, of which a visitor may send a hundred in a minute.
    status = "SELECT status FROM jobs WHERE id = %s"
    wait_until(lambda: asked(cluster, status, job) == "completed", timeout_seconds=PATIENCE_SECONDS)
    assert student.get(f"/api/v1/jobs/{job}").raise_for_status().json()["status"] == "completed"
    follow("redis-lost", "Is it over?", environment=environment)


def test_what_instances_wait_for_is_named(cluster: LocalCluster) -> None:
    """An instance needs more memory than any node has. When it is gone, nothing is missing."""
    environment = shell(cluster)
    assert "greedy" not in follow("add-client", "What is missing", environment=environment)
    task = {
        "Name": "only",
        "Driver": "exec",
        "User": "nobody",
        "Config": {"command": "/usr/bin/sleep", "args": ["60"]},
        "Resources": {"CPU": 20, "MemoryMB": 10_000_000},
    }
    job = {"ID": "greedy", "Name": "greedy", "Namespace": NAMESPACE, "Type": "service", "Datacenters": ["*"]}
    submitted = {**job, "TaskGroups": [{"Name": "only", "Count": 1, "Tasks": [task]}]}
    cluster.nomad.api.call("PUT", "jobs", body={"Job": submitted})
    try:
        wait_until(lambda: "greedy" in missing(environment), timeout_seconds=PATIENCE_SECONDS)
        assert "memory" in missing(environment)
    finally:
        cluster.nomad.api.call("DELETE", "job", "greedy", namespace=NAMESPACE, purge="true")
    wait_until(lambda: "greedy" not in missing(environment), timeout_seconds=PATIENCE_SECONDS)
    assert "ready eligible" in follow("add-client", "Is it over?", environment=environment)


def missing(environment: dict[str, str]) -> str:
    return follow("add-client", "What is missing", environment=environment)
