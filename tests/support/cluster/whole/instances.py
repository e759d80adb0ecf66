"""The processes and addresses of a job's instances, and whether they all do their work."""

import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg

from tests.support.cluster.whole.cluster import identity, owner_url
from tests.support.cluster.whole.traffic import Traffic, traffic
from tests.support.servers import wait_until
from tools.local_cluster.cluster import NAMESPACE, LocalCluster

CGROUPS = Path("/sys/fs/cgroup")
APPLICATION = ("api", "worker", "scheduler")
#: A bound of waiting; a start beside others on a busy machine takes its time.
WELL_SECONDS = 300.0
#: The same for all documents of a test.
READ_SECONDS = 300.0
#: Requests of all students together.
SETTLED = 24


@dataclass(frozen=True, kw_only=True)
class Instance:
    """`pid` is its main task's first process, with which all others of it end; `folder` is that task's."""

    job: str
    allocation: str
    pid: int
    folder: Path

    @property
    def memory_group(self) -> Path:
        """Its control group: of the controller `memory`, where version 1 has one for each."""
        lines = Path(f"/proc/{self.pid}/cgroup").read_text(encoding="ascii").splitlines()
        paths = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
        own = CGROUPS / "memory" / paths["memory"][1:] if "memory" in paths else CGROUPS / paths[""][1:]
        assert own != CGROUPS, "it has no control group of its own"
        return own

    @property
    def processes(self) -> list[int]:
        return [int(pid) for pid in (self.memory_group / "cgroup.procs").read_text(encoding="ascii").split()]

    def kill(self) -> None:
        """With a worker's children, and while it is frozen, too."""
        os.kill(self.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """From now on it neither answers nor works, but is still there."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.processes:
            with suppress(ProcessLookupError):  # It ended meanwhile.
                os.kill(pid, number)


def instances(cluster: LocalCluster, job: str) -> list[Instance]:
    """The running main tasks. Nomad's agent runs those of `poststart` once more when it starts again."""
    groups = cluster.nomad.api.get("job", job, namespace=NAMESPACE)["TaskGroups"]
    main = {task["Name"] for group in groups for task in group["Tasks"] if not task["Lifecycle"]}
    found: list[Instance] = []
    for entry in cluster.nomad.api.get("job", job, "allocations", namespace=NAMESPACE):
        states = (entry["TaskStates"] or {}).items()
        for task in (task for task, state in states if task in main and state["State"] == "running"):
            folder = cluster.plan.data / "nomad" / "data" / "alloc" / entry["ID"] / task
            found += [
                Instance(job=job, allocation=entry["ID"], pid=pid, folder=folder) for pid in first_processes(folder)
            ]
    return found


def stop(cluster: LocalCluster, instance: Instance) -> None:
    """Stops an instance like `nomad alloc stop`: another one starts in its place."""
    cluster.nomad.api.call("PUT", "allocation", instance.allocation, "stop", no_shutdown_delay="false")


def restart(cluster: LocalCluster, instance: Instance) -> None:
    """Restarts an instance in its place, like `nomad alloc restart`."""
    cluster.nomad.api.call("PUT", "client", "allocation", instance.allocation, "restart", body={})


@contextmanager
def without(cluster: LocalCluster, job: str) -> Iterator[None]:
    """All of its instances are stopped until the block ends."""
    submitted = cluster.nomad.api.get("job", job, namespace=NAMESPACE)
    cluster.nomad.api.call("DELETE", "job", job, namespace=NAMESPACE)
    try:
        wait_until(lambda: not instances(cluster, job), timeout_seconds=WELL_SECONDS)
        yield
    finally:
        cluster.nomad.api.call("PUT", "jobs", body={"Job": {**submitted, "Stop": False}})


def first_processes(root: Path) -> Iterator[int]:
    """Number 1 of the process namespace whose root folder it is."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            numbers = (process / "status").read_text(encoding="ascii").partition("NSpid:")[2].splitlines()[0].split()
            if numbers[-1] == "1" and identity(process / "root") == identity(root):
                yield int(process.name)
        except OSError:
            continue  # It ended meanwhile.


def addresses(cluster: LocalCluster, service: str) -> dict[str, str]:
    """HOST:PORT of the instances that pass their checks, by allocation."""
    _, found = cluster.consul.client.health.service(service, passing=True)
    registered = [entry["Service"] for entry in found]
    return {
        entry["ID"].removeprefix("_nomad-task-")[:36]: f"{entry['Address']}:{entry['Port']}" for entry in registered
    }


def unwell(cluster: LocalCluster) -> list[str]:
    """Services that lack instances by Consul's checks, or that do not answer now, even if the checks still pass."""
    if missing := cluster.health.missing():
        return missing
    wanted = cluster.health.wanted()
    return [name for name in wanted if not all(answers(name, at) for at in addresses(cluster, name).values())]


def answers(job: str, address: str) -> bool:
    """The application's with all that they depend on."""
    host, _, port = address.partition(":")
    try:
        if job in APPLICATION:
            return httpx.get(f"http://{address}/health/ready", timeout=10).is_success
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, httpx.TransportError):
        return False
    return True


def await_well(cluster: LocalCluster, but_first: Callable[[], object] = lambda: True) -> None:
    """Once `but_first` is true: what happened is seen only then."""
    wait_until(but_first, timeout_seconds=WELL_SECONDS)
    wait_until(lambda: not unwell(cluster), timeout_seconds=WELL_SECONDS)


def await_replaced(cluster: LocalCluster, lost: Instance, count: int) -> None:
    """Another process does its work, and all is well."""

    def replaced() -> bool:
        running = {instance.pid for instance in instances(cluster, lost.job)}
        return len(running) == count and lost.pid not in running

    await_well(cluster, replaced)


@contextmanager
def students_at_work(cluster: LocalCluster) -> Iterator[Traffic]:
    """Fewer than any limit refuses; all have been here before the block runs, and all are served after it.

    Every document that was taken in has been read in the end, also where the sender saw a failure.
    """
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)
    began = asked(cluster, "SELECT now()")
    with traffic(cluster.plan.public_url, verify, readers=6, pause_seconds=0.3) as students:
        wait_until(lambda: students.seen.answered >= SETTLED, timeout_seconds=60)
        yield students
        answered = students.seen.answered
        wait_until(lambda: students.seen.answered >= answered + SETTLED, timeout_seconds=60)
    if any(": 500 " in failure for failure in students.seen.failures):
        # The logs are gone with the cluster when pytest reports the failure.
        students.seen.failures += unexpected_errors(cluster)
    unfinished = "SELECT count(*) FROM jobs WHERE created_at >= %s AND status NOT IN ('completed', 'failed')"
    wait_until(lambda: asked(cluster, unfinished, began) == 0, timeout_seconds=READ_SECONDS)
    # A failed job is final, so waiting for it would only delay the report of the failure.
    failed = "SELECT string_agg(error::text, ', ') FROM jobs WHERE created_at >= %s AND status = 'failed'"
    assert asked(cluster, failed, began) is None


def unexpected_errors(cluster: LocalCluster) -> Iterator[str]:
    """Log lines with the stack of each request that an API instance answered with a server error."""
    # Beside the files are the pipes through which Nomad collects them.
    for file in sorted(cluster.plan.data.glob("nomad/data/alloc/*/alloc/logs/*.std*.[0-9]*")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if '"request_failed"' in line and "Traceback" in line:
                yield line


def asked(cluster: LocalCluster, question: LiteralString, *values: Any) -> Any:
    """The one value that PostgreSQL answers."""
    with psycopg.connect(owner_url(cluster)) as connection:
        row = connection.execute(question, values).fetchone()
    assert row
    return row[0]
