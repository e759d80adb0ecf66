"""kill -9 of each part of the cluster while students use it (R2.3, R10.4).

The students' requests are counted. A request that is refused with a time to retry has not failed. No accepted document
is ever lost.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path

import httpx
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.cluster import consul_with
from tests.support.cluster.whole.instances import (
    APPLICATION,
    READ_SECONDS,
    Instance,
    addresses,
    asked,
    await_replaced,
    await_well,
    instances,
    students_at_work,
)
from tests.support.cluster.whole.traffic import Seen, Traffic
from tests.support.documents.generate import Document, document
from tests.support.servers import wait_until
from tools.local_cluster.cluster import NAMESPACE, LocalCluster
from tools.local_cluster.process import Process

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("two_of_each")]
SETTING = "upschedule/settings/jobs/pending_max"
AWAY_SECONDS = 20.0
#: An upload that the killed instance was receiving. Only the student can send it again.
CUT = "POST /api/v1/uploads: 502"
#: A process of the worker that allocates more memory than the worker may use.
HUNGRY = """
import os, sys
group, user, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(f"{group}/cgroup.procs", "w") as file:
    file.write(str(os.getpid()))
os.setgid(user)
os.setuid(user)
taken = [bytearray(b"x" * 1_000_000) for _ in range(size // 1_000_000)]
"""


def documents(count: int, *, rows_max: int = 20) -> list[Document]:
    return [document(seed, rows_max=rows_max) for seed in range(count)]


def strike(cluster: LocalCluster, students: Traffic, *jobs: str, of: int) -> float:
    """Kills one of `of` instances of each job while documents are uploaded.

    Returns the seconds until all is healthy again.
    """
    uploads = students.upload(documents(12), at_once=3)
    wait_until(lambda: students.seen.documents >= 1, timeout_seconds=READ_SECONDS)
    victims = [instances(cluster, job)[0] for job in jobs]
    began = time.monotonic()
    for victim in victims:
        victim.kill()
    for victim in victims:
        await_replaced(cluster, victim, of)
    seconds = time.monotonic() - began
    uploads.result(READ_SECONDS)
    return seconds


def record_cost(figure: Figure, what: str, seconds: float, counted: Seen) -> None:
    figure(f"seconds from kill -9 of {what} until all is well again", seconds)
    figure(f"requests answered meanwhile ({what})", counted.answered)
    figure(f"requests refused for a while ({what})", counted.refused)
    figure(f"requests and documents that failed ({what})", len(counted.failures))


def test_a_killed_api_instance_costs_at_most_the_uploads_that_it_was_receiving(
    cluster: LocalCluster, figure: Figure
) -> None:
    """Other requests can be retried, and reach the other instance (R10.4)."""
    with students_at_work(cluster) as students:
        seconds = strike(cluster, students, "api", of=2)
    record_cost(figure, "an API instance", seconds, students.seen)
    failures = students.seen.failures
    assert [failure for failure in failures if not failure.startswith(CUT)] == []
    assert students.seen.documents == 12 - len(failures), students.seen.summary()


def test_a_killed_scheduler_fails_no_request(cluster: LocalCluster, figure: Figure) -> None:
    """The other scheduler takes over (R2.3)."""
    with students_at_work(cluster) as students:
        seconds = strike(cluster, students, "scheduler", of=2)
    record_cost(figure, "a scheduler", seconds, students.seen)
    assert (students.seen.failures, students.seen.documents) == ([], 12), students.seen.summary()


def stop_a_worker_at_work(cluster: LocalCluster, students: Traffic) -> tuple[Instance, Future[None]]:
    """Freezes a worker that certainly reads a document, while more documents are uploaded."""
    victim, other = instances(cluster, "worker")
    other.freeze()
    uploads = students.upload(documents(20, rows_max=100), at_once=10)
    wait_until(lambda: stopped_at_work(cluster, victim), timeout_seconds=READ_SECONDS)
    other.thaw()
    return victim, uploads


def stopped_at_work(cluster: LocalCluster, worker: Instance) -> bool:
    worker.freeze()
    if asked(cluster, "SELECT count(*) FROM jobs WHERE status = 'processing'"):
        return True
    worker.thaw()
    return False


def test_a_worker_killed_with_documents_under_way_loses_none(cluster: LocalCluster, figure: Figure) -> None:
    """The sweeper finds the documents, and another run reads them (R2.3)."""
    again = asked(cluster, "SELECT count(*) FROM jobs WHERE run > 1")
    with students_at_work(cluster) as students:
        victim, uploads = stop_a_worker_at_work(cluster, students)
        began = time.monotonic()
        victim.kill()
        await_replaced(cluster, victim, 2)
        seconds = time.monotonic() - began
        uploads.result(READ_SECONDS)
    record_cost(figure, "a worker", seconds, students.seen)
    assert (students.seen.failures, students.seen.documents) == ([], 20), students.seen.summary()
    assert asked(cluster, "SELECT count(*) FROM jobs WHERE run > 1") > again


def test_a_worker_that_takes_too_much_memory_is_killed_and_its_documents_are_read(
    cluster: LocalCluster, figure: Figure
) -> None:
    """The kernel kills it in its control group (R11.1), and another run reads the documents (R2.3)."""
    again = asked(cluster, "SELECT count(*) FROM jobs WHERE run > 1")
    with students_at_work(cluster) as students:
        victim, uploads = stop_a_worker_at_work(cluster, students)
        began = time.monotonic()
        hungry = feed(victim)
        await_replaced(cluster, victim, 2)
        seconds = time.monotonic() - began
        # The process did not get the memory, and was killed with the group.
        assert hungry.wait(60) != 0
        uploads.result(READ_SECONDS)
    figure("seconds from too much memory until the worker is back", seconds)
    assert "137" in str(events(cluster, victim))
    assert (students.seen.failures, students.seen.documents) == ([], 20), students.seen.summary()
    assert asked(cluster, "SELECT count(*) FROM jobs WHERE run > 1") > again


def feed(instance: Instance) -> subprocess.Popen[bytes]:
    """Starts a process in its control group that exceeds the limit, so that the kernel kills the instance."""
    group = instance.memory_group
    for pid in instance.processes:
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000", encoding="ascii")
    limit = next(file for file in (group / "memory.limit_in_bytes", group / "memory.max") if file.exists())
    size, user = int(limit.read_text(encoding="ascii")) + 64_000_000, Path(f"/proc/{instance.pid}").stat().st_uid
    return subprocess.Popen([sys.executable, "-c", HUNGRY, str(group), str(user), str(size)])


def events(cluster: LocalCluster, instance: Instance) -> list[str]:
    """Nomad's events of the instance's tasks."""
    found = cluster.nomad.api.get("allocation", instance.allocation)
    return [event["DisplayMessage"] for state in found["TaskStates"].values() for event in state["Events"]]


@pytest.mark.parametrize(
    "jobs",
    [
        ("redis-state",),
        ("redis-cache",),
        ("postgres",),
        ("object-store",),
        ("prometheus", "autoscaler"),
    ],
    ids=" and ".join,
)
def test_a_part_of_which_there_is_one_loses_nothing_when_it_is_killed(
    cluster: LocalCluster, figure: Figure, jobs: tuple[str, ...]
) -> None:
    """Requests that need it get a time to retry (R2.3). `test_restarts.py` kills PgBouncer."""
    with students_at_work(cluster) as students:
        seconds = strike(cluster, students, *jobs, of=1)
    record_cost(figure, " and ".join(jobs), seconds, students.seen)
    assert (students.seen.failures, students.seen.documents) == ([], 12), students.seen.summary()


def test_without_traefik_no_request_is_answered_until_it_is_back(cluster: LocalCluster, figure: Figure) -> None:
    """Traefik is the only part whose absence cannot be answered. Accepted documents are read meanwhile."""
    with students_at_work(cluster) as students:
        seconds = strike(cluster, students, "traefik", of=1)
    record_cost(figure, "traefik", seconds, students.seen)
    unanswered = ("ConnectError", "ReadError", "RemoteProtocolError", "WriteError")
    failures = students.seen.failures
    assert failures
    assert [failure for failure in failures if not any(error in failure for error in unanswered)] == []


def test_killing_the_nomad_agent_fails_no_request(cluster: LocalCluster, figure: Figure) -> None:
    """Tasks continue, and the next agent takes over the same processes (R10.4)."""
    before = everything(cluster)
    with students_at_work(cluster) as students:
        uploads = students.upload(documents(12), at_once=3)
        agent = cluster.nomad.process
        began = time.monotonic()
        kill_agent(agent)
        answers = students.seen.answered
        wait_until(lambda: students.seen.answered >= answers + 100, timeout_seconds=120)
        cluster.start_agents()
        await_well(cluster)
        seconds = time.monotonic() - began
        uploads.result(READ_SECONDS)
    record_cost(figure, "Nomad's agent, 100 requests away,", seconds, students.seen)
    assert (students.seen.failures, students.seen.refused, students.seen.documents) == ([], 0, 12), (
        students.seen.summary()
    )
    assert everything(cluster) == before
    assert set(environment(agent)) == {"PATH"}


def environment(agent: Process) -> list[str]:
    """Names of the variables that the agent passes on to all tasks."""
    words = Path(f"/proc/{agent.pid()}/environ").read_text(encoding="utf-8").split("\0")
    return [word.partition("=")[0] for word in words if word]


def test_an_unreachable_consul_fails_no_request(cluster: LocalCluster, figure: Figure) -> None:
    """Routes, files from templates and live settings stay. When Consul is back, all checks pass (R10.4)."""
    api = addresses(cluster, "api").values()
    assert consul_with(cluster, "operator").kv.put(SETTING, "437")
    wait_until(lambda: queue_limits(api) == {437}, timeout_seconds=60)
    # Nomad's agent, which the test before may have restarted, renders the files anew some seconds after its start.
    wait_until(lambda: set(rollout_states(cluster).values()) == {"live"}, timeout_seconds=60)
    before, rendered = everything(cluster), files_from_consul(cluster)
    with students_at_work(cluster) as students:
        uploads = students.upload(documents(12), at_once=3)
        kill_agent(cluster.consul.process)
        back_at = time.monotonic() + AWAY_SECONDS
        wait_until(lambda: time.monotonic() > back_at, timeout_seconds=AWAY_SECONDS + 10)
        away = (list(students.seen.failures), students.seen.refused, queue_limits(api), files_from_consul(cluster))
        cluster.start_agents()
        began = time.monotonic()
        await_well(cluster)
        seconds = time.monotonic() - began
        uploads.result(READ_SECONDS)
    figure(f"requests answered, Consul away for {AWAY_SECONDS:.0f} s of them", students.seen.answered)
    figure("requests refused when Consul came back", students.seen.refused)
    figure("seconds from Consul's start until all checks pass", seconds)
    assert away == ([], 0, {437}, rendered)
    assert (students.seen.failures, students.seen.documents) == ([], 12), students.seen.summary()
    assert everything(cluster) == before
    assert consul_with(cluster, "operator").kv.delete(SETTING)


def kill_agent(agent: Process) -> None:
    pid = agent.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: agent.pid() is None)


def everything(cluster: LocalCluster) -> dict[str, set[int]]:
    """The first process of every task, by job."""
    jobs = cluster.nomad.api.get("jobs", namespace=NAMESPACE)
    return {job["ID"]: {instance.pid for instance in instances(cluster, job["ID"])} for job in jobs}


def files_from_consul(cluster: LocalCluster) -> dict[str, str]:
    """Files of running instances that templates write: which ones may take work, and the targets of Prometheus."""
    targets = [file for instance in instances(cluster, "prometheus") for file in instance.folder.glob("local/targets*")]
    assert targets
    return rollout_states(cluster) | {str(file): file.read_text(encoding="utf-8") for file in targets}


def rollout_states(cluster: LocalCluster) -> dict[str, str]:
    """`live`, `canary`, or an empty text while Consul names no instance, by the file of each running instance."""
    files = [
        file
        for job in APPLICATION
        for instance in instances(cluster, job)
        for file in instance.folder.glob("local/standing")
    ]
    assert files
    return {str(file): file.read_text(encoding="utf-8").strip() for file in files}


def queue_limits(api: Iterable[str]) -> set[int]:
    """The values of a live setting in each instance."""
    return {httpx.get(f"http://{address}/api/v1/capacity", timeout=10).json()["limit"] for address in api}
