"""The kernel enforces the resources of a task: memory, and whole cores where it asks for them (R11.1)."""

import io
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.conftest import Figure
from tests.cluster.tooling.test_common_blocks import parse
from tests.cluster.tooling.test_program import COMMON, OWN
from tests.support.cluster.tooling.nomad_agent import Agent, running_agent
from tests.support.cluster.tooling.sleeper_jobs import unique
from tests.support.servers import scratch_directory, started, wait_until
from upschedule.operations.embedded.seaweedfs import BUCKET, SeaweedFS
from upschedule.operations.embedded.server import Command

START_SECONDS = 40
MEMORY_MB = 64
WINDOW_SECONDS = 4.0
#: Jobs whose main task is a Go program.
GO = (
    *("object-store", "backup-store", "traefik", "prometheus", "alertmanager", "autoscaler"),
    *(f"{exporter}-exporter" for exporter in ("postgres", "redis", "node", "blackbox")),
)
#: A release has about this size, and there are a few a day.
OBJECT_BYTES, OBJECTS = 64 << 20, 4
#: R6.5 warns at 80 %.
NEAR = 0.8
NODE = """
client {
  options = {
    "driver.allowlist" = "exec"
  }
  chroot_env {
    "/usr/bin/python3.11"       = "/usr/bin/python3.11"
    "/usr/lib/python3.11"       = "/usr/lib/python3.11"
    "/usr/lib/x86_64-linux-gnu" = "/lib/x86_64-linux-gnu"
    "/usr/lib64"                = "/lib64"
    "/etc/ld.so.cache"          = "/etc/ld.so.cache"
    "/etc/passwd"               = "/etc/passwd"
    "/etc/group"                = "/etc/group"
  }
}
"""
#: Allocates memory without end: in a child process after USR1, in the process itself after USR2.
GREEDY = """
import os, signal

def grow(*_):
    kept = []
    while True:
        kept.append(bytearray(2 << 20))

def grow_in_child(*_):
    if os.fork() == 0:
        grow()

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGUSR2, grow)
signal.signal(signal.SIGUSR1, grow_in_child)
while True:
    signal.pause()
"""
#: Four threads that each use a whole core. Hashing releases the interpreter lock.
BUSY = """
import hashlib, threading

for _ in range(4):
    threading.Thread(target=hashlib.pbkdf2_hmac, args=("sha256", b"word", b"salt", 2_000_000_000), daemon=True).start()
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def node(programs: Path) -> Iterator[Agent]:
    with running_agent(programs / "nomad", NODE) as agent:
        yield agent


@pytest.fixture
def job(node: Agent) -> Iterator[str]:
    """The name of a job that is purged after the test."""
    name = unique("limits")
    yield name
    node.call("DELETE", f"job/{name}", purge="true")
    wait_until(lambda: processes_of(node, name) == [], timeout_seconds=START_SECONDS)


def run(node: Agent, name: str, program: str, resources: dict[str, int]) -> int:
    """Starts the job and returns the process of its task."""
    task = {
        "Name": "task",
        "Driver": "exec",
        "User": "nobody",
        "Config": {"command": "/usr/bin/python3.11", "args": ["-c", program]},
        "Resources": resources,
        "KillTimeout": 1_000_000_000,
    }
    restart = {"Attempts": 2, "Interval": 60_000_000_000, "Delay": 100_000_000, "Mode": "fail"}
    group = {"Name": "group", "Count": 1, "Tasks": [task], "RestartPolicy": restart}
    node.call("PUT", "jobs", {"Job": {"ID": name, "Name": name, "Datacenters": ["*"], "TaskGroups": [group]}})
    wait_until(lambda: processes_of(node, name), timeout_seconds=START_SECONDS)
    return processes_of(node, name)[0]


def processes_of(node: Agent, name: str) -> list[int]:
    """Processes of the task's program, the oldest first."""
    allocations = node.call("GET", f"job/{name}/allocations") if node.status(f"job/{name}") == httpx.codes.OK else []
    marks = [f"NOMAD_ALLOC_ID={entry['ID']}".encode() for entry in allocations]
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            program = (process / "cmdline").read_bytes()
        except OSError:
            continue  # The process has ended in the meantime.
        if program.startswith(b"/usr/bin/python3.11") and any(mark in environment for mark in marks):
            found.append(int(process.name))
    return sorted(found)


def control_group(process: int, controller: str) -> Path:
    """The process's control group in version 1 of the interface."""
    for line in Path(f"/proc/{process}/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return Path("/sys/fs/cgroup", controller, path.lstrip("/"))
    raise AssertionError(f"no control group for {controller}")


def number(file: Path) -> int:
    return int(file.read_text(encoding="ascii"))


def terminations(node: Agent, name: str) -> list[dict[str, Any]]:
    """How the processes of the task ended, according to Nomad."""
    (allocation,) = node.call("GET", f"job/{name}/allocations")
    events = allocation["TaskStates"]["task"]["Events"]
    return [event["Details"] for event in events if event["Type"] == "Terminated"]


def test_a_task_that_takes_more_than_its_memory_is_killed_and_started_again(
    node: Agent, job: str, figure: Figure
) -> None:
    """The kernel kills the process, and the job continues (R11.1, R11.2)."""
    process = run(node, job, GREEDY, {"CPU": 100, "MemoryMB": MEMORY_MB})
    group = control_group(process, "memory")
    assert number(group / "memory.limit_in_bytes") == MEMORY_MB << 20

    os.kill(process, signal.SIGUSR1)
    wait_until(lambda: "oom_kill 1" in (group / "memory.oom_control").read_text(encoding="ascii"))
    assert number(group / "memory.failcnt") > 0
    figure("MiB at most of 64 allowed", number(group / "memory.max_usage_in_bytes") / (1 << 20))
    assert number(group / "memory.max_usage_in_bytes") <= MEMORY_MB << 20
    assert processes_of(node, job) == [process], "only the child that grew is killed"

    killed_at = time.monotonic()
    os.kill(process, signal.SIGUSR2)
    wait_until(lambda: set(processes_of(node, job)) - {process}, timeout_seconds=START_SECONDS)
    figure("s until a killed task runs again", time.monotonic() - killed_at)
    (ended,) = terminations(node, job)
    assert (ended["exit_code"], ended["signal"]) == ("137", "9")


def test_a_task_with_a_core_of_its_own_cannot_use_more(node: Agent, job: str, figure: Figure) -> None:
    """Four busy threads share the core. Without `cores` they could use all cores (R11.1, R11.2)."""
    process = run(node, job, BUSY, {"Cores": 1, "MemoryMB": MEMORY_MB})
    wait_until(lambda: len(allowed(process)) == 5)
    wait_until(lambda: all(len(cpus) == 1 for cpus in allowed(process)))

    used = cores_used(process)
    figure("cores used by four busy threads with cores = 1", used)
    assert used < 1.05
    assert number(control_group(process, "cpuset") / "cpuset.cpus") in os.sched_getaffinity(0)


def test_a_task_without_cores_of_its_own_is_weighed_only(node: Agent, job: str, figure: Figure) -> None:
    """`cpu` is a share: it applies when other tasks want to run, and is no upper limit."""
    process = run(node, job, BUSY, {"CPU": 100, "MemoryMB": MEMORY_MB})
    wait_until(lambda: len(allowed(process)) == 5)

    figure("cores used by four busy threads with cpu = 100", cores_used(process))
    assert number(control_group(process, "cpu") / "cpu.shares") == 100
    assert number(control_group(process, "cpu") / "cpu.cfs_quota_us") == -1
    assert all(cpus == os.sched_getaffinity(0) for cpus in allowed(process))


def allowed(process: int) -> list[set[int]]:
    """The cores that each thread may use."""
    return [os.sched_getaffinity(int(thread.name)) for thread in Path(f"/proc/{process}/task").iterdir()]


def cores_used(process: int) -> float:
    """The average over a window, as counted by the kernel."""
    usage = control_group(process, "cpuacct") / "cpuacct.usage"
    began, before = time.monotonic(), number(usage)
    wait_until(lambda: time.monotonic() - began >= WINDOW_SECONDS)
    return (number(usage) - before) / 1e9 / (time.monotonic() - began)


@pytest.mark.parametrize("name", GO)
def test_a_go_program_knows_the_memory_of_its_task(agent: Agent, name: str) -> None:
    """Without this variable, the garbage of a Go program grows to the limit, and the kernel kills the task (R11.1)."""
    resources, environment = main_task(agent, name)

    assert environment["GOMEMLIMIT"] == f"{int(resources['MemoryMB'] * 0.85)}MiB"


def test_an_object_store_that_gets_several_releases_stays_below_its_memory(agent: Agent, figure: Figure) -> None:
    """The store runs with the environment of its job. The alert begins at 80 % (R6.5)."""
    resources, environment = main_task(agent, "object-store")
    with scratch_directory() as folder, started(LimitedStore(folder / "store", environment)) as store:
        client = store.admin_client()
        for number in range(OBJECTS):
            client.put_object(
                bucket_name=BUCKET,
                object_name=str(number),
                data=io.BytesIO(os.urandom(OBJECT_BYTES)),
                length=OBJECT_BYTES,
            )
            assert len(client.get_object(bucket_name=BUCKET, object_name=str(number)).read()) == OBJECT_BYTES
        most = store.most_memory_mb()
    figure("MB of the object store at most, with its program", most)

    assert most < NEAR * resources["MemoryMB"]


class LimitedStore(SeaweedFS):
    """An object store with the environment of a task."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        super().__init__(directory)
        self._environment = environment

    def command(self) -> Command:
        return replace(super().command(), environment=self._environment)

    def most_memory_mb(self) -> float:
        """The largest resident memory of the process so far."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main_task(agent: Agent, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Resources and environment of the job's main task."""
    job = parse(agent, name, {**COMMON, **OWN[name]})
    (group,) = job["TaskGroups"]
    (task,) = (task for task in group["Tasks"] if not task["Lifecycle"])
    return task["Resources"], task["Env"]
