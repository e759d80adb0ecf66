"""The cluster's nightly job, run at once."""

from dataclasses import dataclass
from typing import Any

import httpx
import urllib3
from minio import Minio

from tests.support.servers import wait_until
from tools.local_cluster.cluster import NAMESPACE, LocalCluster

_ENDED = ("complete", "failed", "lost")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How the task of one run ended, with what it logged last."""

    exit_code: int
    log: str


def await_first_backup(cluster: LocalCluster, *, timeout_seconds: float) -> None:
    """Until the backup that a new cluster begins with has ended, and no other runs."""

    def ended() -> bool:
        found = runs(cluster)
        return bool(found) and all(entry["ClientStatus"] in _ENDED for entry in found)

    wait_until(ended, timeout_seconds=timeout_seconds)


def backed_up(cluster: LocalCluster, *, timeout_seconds: float) -> Ended:
    """Makes a backup like `nomad job periodic force backup`, and waits until its first allocation has ended.

    The backup with which the cluster began may still be in progress, and two never run at once.
    """
    await_first_backup(cluster, timeout_seconds=timeout_seconds)
    known = {entry["ID"] for entry in runs(cluster)}
    cluster.nomad.api.call("PUT", "job", "backup", "periodic", "force", namespace=NAMESPACE)

    def ended() -> list[dict[str, Any]]:
        return [each for each in runs(cluster) if each["ID"] not in known and each["ClientStatus"] in _ENDED]

    wait_until(lambda: bool(ended()), timeout_seconds=timeout_seconds)
    (allocation,) = ended()[:1]
    log = "".join(
        cluster.nomad.api.log_tail(allocation["ID"], task, stream, namespace=NAMESPACE)
        for task in allocation["TaskStates"]
        for stream in ("stdout", "stderr")
    )
    events = allocation["TaskStates"].get("backup", {}).get("Events") or []
    codes = [event["ExitCode"] for event in events if event["Type"] == "Terminated"]
    return Ended(exit_code=codes[-1] if codes else -1, log=f"{log}\n{events}")


def runs(cluster: LocalCluster) -> list[dict[str, Any]]:
    """The allocations of all runs that Nomad knows."""
    found = cluster.nomad.api.get("allocations", namespace=NAMESPACE)
    return [entry for entry in found if entry["JobID"].startswith("backup/periodic-")]


def administrators_store(cluster: LocalCluster) -> Minio:
    """The store of the repository, with the key that can remove what the lock protects."""
    return Minio(
        endpoint=f"localhost:{cluster.plan.ports['backupStorePort']}",
        access_key="administrator",
        secret_key=cluster.credentials.password("backupStoreAdministratorSecretKey"),
        secure=True,
        region="us-east-1",
        http_client=urllib3.PoolManager(ca_certs=str(cluster.certificates.authority), retries=False, timeout=10),
    )


def figures(cluster: LocalCluster, expression: str) -> list[float]:
    """What Prometheus answers now."""
    url = f"http://{cluster.plan.address('prometheusPort')}/api/v1/query"
    answer = httpx.get(url, params={"query": expression}, timeout=20).raise_for_status().json()
    return [float(entry["value"][1]) for entry in answer["data"]["result"]]
