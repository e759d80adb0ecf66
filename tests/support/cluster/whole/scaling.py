"""The number of instances: what Nomad wants, what Consul calls healthy, which of them answer."""

import asyncio
import os
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg

from tests.support.cluster.whole.cluster import owner_url
from tests.support.servers import wait_until
from tools.local_cluster.cluster import NAMESPACE, LocalCluster
from upschedule.deploy.probe.client import INSTANCE_HEADER

SCALED = ("api", "worker")
CONNECTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE usename IN ('upschedule_api', 'upschedule_worker', 'upschedule_scheduler')
"""
#: Of two cores that start fifty instances at once.
HEALTHY_SECONDS = 900.0
COMMAND_SECONDS = 60
STEP = 8


@contextmanager
def scaled_by_hand(cluster: LocalCluster) -> Iterator[None]:
    """Without the autoscaler, which would set its own number; in the end all is as before."""
    before = {job: wanted(cluster, job) for job in (*SCALED, "autoscaler")}
    scale(cluster, "autoscaler", 0)
    try:
        yield
    finally:
        for job, count in before.items():
            scale(cluster, job, count)
            wait_until(lambda job=job, count=count: running(cluster, job) == count, timeout_seconds=HEALTHY_SECONDS)
        cluster.await_healthy()


def scale(cluster: LocalCluster, job: str, count: int) -> None:
    """`nomad job scale`, once the one before is done: Nomad refuses to change a job whose deployment is under way."""
    wait_until(lambda: job not in cluster.health.rolling(), timeout_seconds=HEALTHY_SECONDS)
    done = try_to_scale(cluster, job, count)
    assert done.returncode == 0, done.stderr


def grow(cluster: LocalCluster, job: str, count: int) -> None:
    """In steps, each once the one before passes its checks: two cores cannot start fifty instances at once."""
    while (now := wanted(cluster, job)) < count:
        step = min(now + STEP, count)
        scale(cluster, job, step)
        await_passing(cluster, job, step)


def try_to_scale(cluster: LocalCluster, job: str, count: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [cluster.programs[0] / "nomad", "job", "scale", "-detach", job, str(count)],
        env={**os.environ, **cluster.environment},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def wanted(cluster: LocalCluster, job: str) -> int:
    """The number of instances that Nomad should run of the job's only group."""
    (group,) = cluster.nomad.api.get("job", job, "scale", namespace=NAMESPACE)["TaskGroups"].values()
    return group["Desired"]


def running(cluster: LocalCluster, job: str) -> int:
    """Those that are still ending as well."""
    found = cluster.nomad.api.get("job", job, "allocations", namespace=NAMESPACE)
    return sum(entry["ClientStatus"] in {"pending", "running"} for entry in found)


def await_passing(cluster: LocalCluster, job: str, count: int) -> None:
    """All checks of so many."""
    wait_until(lambda: cluster.health.passing(job) >= count, timeout_seconds=HEALTHY_SECONDS)


def answering(cluster: LocalCluster, *, requests: int, connections: int) -> Counter[str]:
    """How many of the requests to the public address each instance answered."""
    return asyncio.run(_answering(cluster, requests, connections))


async def _answering(cluster: LocalCluster, requests: int, connections: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    left = iter(range(requests))
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=cluster.plan.public_url, verify=verify, timeout=60) as client:
            for _ in left:
                answer = await client.get("/api/v1/capacity")
                answer.raise_for_status()
                seen[answer.headers[INSTANCE_HEADER]] += 1

    await asyncio.gather(*(ask() for _ in range(connections)))
    return seen


@contextmanager
def asking_for_connections(cluster: LocalCluster) -> Iterator["Connections"]:
    """Ready to count those that PgBouncer holds to PostgreSQL."""
    with psycopg.connect(owner_url(cluster), autocommit=True) as asking:
        yield Connections(asking)


class Connections:
    """`most` and `last` of what was counted."""

    def __init__(self, asking: psycopg.Connection) -> None:
        self._asking = asking
        self.most = self.last = 0

    def count(self) -> int:
        row = self._asking.execute(CONNECTIONS).fetchone()
        assert row
        self.last = row[0]
        self.most = max(self.most, self.last)
        return self.last


def measured(cluster: LocalCluster, expression: str) -> dict[str, float]:
    """What Prometheus says, by allocation; one value without that label is under the empty name."""
    return samples(cluster, expression, "alloc")


def samples(cluster: LocalCluster, expression: str, label: str) -> dict[str, float]:
    """What Prometheus says, by the label; one value without it is under the empty name."""
    url = f"http://{cluster.plan.address('prometheusPort')}/api/v1/query"
    answer = httpx.get(url, params={"query": expression}, timeout=20).raise_for_status().json()
    return {entry["metric"].get(label, ""): float(entry["value"][1]) for entry in answer["data"]["result"]}
