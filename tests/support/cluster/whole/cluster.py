"""The cluster of `make cluster` for tests: on free ports, in a folder of its own."""

import hashlib
import hmac
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import consul
import urllib3
from minio import Minio

from tests.support.servers import scratch_directory
from tools.local_cluster.cluster import LocalCluster
from tools.local_cluster.plan import ROOT, make_plan
from upschedule.deploy.consul import consul_client
from upschedule.deploy.http import BRIEF
from upschedule.operations.privileges.identities import SHARED_ROLE, Process, role_of

DATABASE = "upschedule"
#: Settings that only shorten waits: an instance counts as healthy once its checks have passed for so long.
QUICK = {"releaseMinHealthySeconds": "3"}
#: The gate's step on real traffic takes minutes. A test of it names its shares.
NO_SHARES = {"UPSCHEDULE_DEPLOY_SHARES": "none"}


@contextmanager
def running_cluster() -> Iterator[LocalCluster]:
    """Healthy; nothing of it is left in the end."""
    with scratch_directory() as folder:
        repository = clone(folder / "repository")
        plan = make_plan(folder / "cluster", chosen={}, free=True)
        # Its documents and requests would be among those that tests count; one test has it.
        cluster = LocalCluster(plan, print, repository, with_student=False)
        try:
            cluster.adopt_secrets()
            cluster.stack.configure(QUICK, {})
            cluster.up()
            yield cluster
        finally:
            cluster.down()


def clone(folder: Path) -> Path:
    """The last commit, without what is being worked on: a release is made of commits."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, folder], check=True)
    return folder


def derived(secret: str, use: str) -> str:
    """A secret, derived as `pulumi/parts/identities.py` derives those of single processes."""
    return hmac.digest(secret.encode(), use.encode(), hashlib.sha256).hex()


def database_url(
    cluster: LocalCluster, role: str, password: str, *, port: str, tls: str = "verify-full", database: str = DATABASE
) -> str:
    """`port`: the name of PostgreSQL's or PgBouncer's setting."""
    query = f"sslmode={tls}&sslrootcert={cluster.certificates.authority}&connect_timeout=20"
    return f"postgresql://{role}:{password}@{cluster.plan.address(port)}/{database}?{query}"


def application_url(cluster: LocalCluster, process: Process = "api") -> str:
    """The URL with which API, workers or scheduler connect."""
    password = derived(cluster.credentials.password("postgresApplicationPassword"), process)
    role = role_of(process)
    return database_url(cluster, role, password, port="pgbouncerPort", database=role)


def shared_url(cluster: LocalCluster) -> str:
    """The URL with which processes of older releases connect."""
    password = cluster.credentials.password("postgresApplicationPassword")
    return database_url(cluster, SHARED_ROLE, password, port="pgbouncerPort")


def owner_url(cluster: LocalCluster) -> str:
    """The URL with which migrations connect."""
    password = cluster.credentials.password("postgresOwnerPassword")
    return database_url(cluster, "upschedule_owner", password, port="postgresPort")


def object_store(cluster: LocalCluster, access_key: str | None, secret: str | None) -> Minio:
    """A client without keys; `secret` is the name of the stack's."""
    return Minio(
        endpoint=cluster.plan.address("objectStorePort"),
        access_key=access_key,
        secret_key=cluster.credentials.password(secret) if secret else None,
        secure=False,
        region="us-east-1",
        http_client=urllib3.PoolManager(retries=False, timeout=10),
    )


def consul_with(cluster: LocalCluster, token: str) -> Any:
    """A client with the token of a policy in `consul/policies/`; without a token if `token` is empty."""
    secret = cluster.credentials.token(f"consul-{token}") if token else ""
    return consul_client(cluster.plan.consul_url, secret, retries=BRIEF)


def is_permitted(request: Callable[[], object]) -> bool:
    """False if Consul answers 403."""
    try:
        request()
    except consul.ACLPermissionDenied:
        return False
    return True


def delete_settings(cluster: LocalCluster) -> None:
    """Deletes every live setting."""
    assert consul_with(cluster, "operator").kv.delete("upschedule/settings", recurse=True)


def tasks_of(cluster: LocalCluster) -> Iterator[tuple[str, str, Path]]:
    """Job, task and the folder in /proc of each process of a task: its root folder is the task's."""
    jobs = {entry["ID"]: entry["JobID"] for entry in cluster.nomad.api.get("allocations", namespace="*")}
    folders = cluster.plan.data.glob("nomad/data/alloc/*/*")
    roots = {identity(folder): folder for folder in folders}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            folder = roots.get(identity(process / "root"))
        except OSError:
            continue  # It ended meanwhile.
        if folder and folder.parent.name in jobs:
            yield jobs[folder.parent.name], folder.name, process


def identity(folder: Path) -> tuple[int, int]:
    """The same for every path to it."""
    found = folder.stat()
    return found.st_dev, found.st_ino


def allocations(cluster: LocalCluster) -> set[str]:
    """Those that run."""
    found = cluster.nomad.api.get("allocations", namespace="*")
    return {entry["ID"] for entry in found if entry["ClientStatus"] == "running"}
