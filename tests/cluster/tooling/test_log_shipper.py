"""The log shipper on a real Nomad with a real rsyslog: what arrives, and what kills and outages cost (R6.3)."""

import os
import re
import runpy
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.tooling.authority import self_signed
from tests.support.cluster.tooling.consul_agent import passing, running_consul
from tests.support.cluster.tooling.nomad_agent import Agent, running_agent
from tests.support.cluster.tooling.sleeper_jobs import unique
from tests.support.cluster.tooling.syslog_receiver import Received, Receiver, receiving
from tests.support.metric_names import named
from tests.support.paths import ROOT
from tests.support.servers import scratch_directory, wait_until
from upschedule.operations.embedded.ports import LOOPBACK, free_port

pytestmark = pytest.mark.timeout(300)
PROGRAM = ROOT / "jobs" / "log-shipper" / "ship.py"
PATIENCE_SECONDS = 120.0
CONFIRM_SECONDS = 1
#: So that the lines of one test fill several files of one megabyte.
PADDING = 400
#: A client of production, with a second driver for the tasks of the tests.
NODE = """
consul {{
  address = "{consul}"
}}
client {{
  options = {{
    "driver.allowlist" = "exec,raw_exec"
  }}
{chroot}
}}
"""


@dataclass(kw_only=True)
class Shipper:
    """The program as a process, which may be killed and started again with the same folder."""

    environment: Mapping[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["/usr/bin/python3.11", PROGRAM, LOOPBACK, str(self.port)], env=self.environment, stdout=log, stderr=log
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process:
            assert self.process.poll() is None, self.log.read_text()
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None

    def figure(self, name: str) -> float:
        return figure_of(self.port, name)


def figure_of(port: int, name: str) -> float:
    """Minus one while the program does not answer."""
    try:
        page = httpx.get(f"http://{LOOPBACK}:{port}/metrics", timeout=10).text
    except httpx.TransportError:
        return -1.0
    match = re.search(rf"^{name} (\S+)$", page, re.MULTILINE)
    return float(match[1]) if match else -1.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """A namespace with its own token of the shipper."""

    agent: Agent
    namespace: str
    token: str

    def run(self, name: str, script: str, *, files: int = 10) -> None:
        """Starts a job whose only task runs the script."""
        task = {
            "Name": "write",
            "Driver": "raw_exec",
            "Config": {"command": "/bin/sh", "args": ["-c", script]},
            "LogConfig": {"MaxFiles": files, "MaxFileSizeMB": 1},
            "Resources": {"CPU": 20, "MemoryMB": 20, "DiskMB": 20},
        }
        group = {"Name": "only", "Tasks": [task], "RestartPolicy": {"Attempts": 0, "Mode": "fail"}}
        job = {"ID": name, "Name": name, "Namespace": self.namespace, "Type": "batch", "Datacenters": ["*"]}
        self.agent.call("POST", "jobs", {"Job": {**job, "TaskGroups": [group]}}, namespace=self.namespace)

    def ended(self, name: str) -> bool:
        allocations = self.agent.call("GET", f"job/{name}/allocations", namespace=self.namespace)
        return bool(allocations) and all(each["ClientStatus"] == "complete" for each in allocations)

    def await_end(self, name: str) -> None:
        wait_until(lambda: self.ended(name), timeout_seconds=PATIENCE_SECONDS)

    def shipper(self, folder: Path, receiver: Receiver, *, buffer_mb: int = 64, authority: str = "") -> Shipper:
        own = {
            "NAMESPACE": self.namespace,
            "RECEIVER": receiver.address,
            "TLS": "true" if authority else "false",
            "AUTHORITY_FILE": authority,
            "FOLDER": str(folder),
            "BUFFER_MB": str(buffer_mb),
            "EVERY_SECONDS": "0.5",
            "CONFIRM_SECONDS": str(CONFIRM_SECONDS),
        }
        variables = {f"LOG_SHIPPER_{name}": value for name, value in own.items()}
        environment = {**os.environ, **variables, "NOMAD_ADDR": self.agent.address, "NOMAD_TOKEN": self.token}
        return Shipper(environment=environment, log=folder / "log")


@pytest.fixture
def place(agent: Agent) -> Iterator[Place]:
    with place_on(agent) as created:
        yield created


@contextmanager
def place_on(agent: Agent) -> Iterator[Place]:
    name = unique("logs")
    agent.call("POST", f"namespace/{name}", {"Name": name})
    rules = runpy.run_path(str(ROOT / "pulumi" / "components" / "access.py"))["log_shipper_rules"](name)
    agent.call("POST", f"acl/policy/{name}", {"Name": name, "Rules": rules})
    token = agent.call("POST", "acl/token", {"Name": name, "Type": "client", "Policies": [name]})
    yield Place(agent=agent, namespace=name, token=token["SecretID"])
    for job in agent.call("GET", "jobs", namespace=name):
        agent.call("DELETE", f"job/{job['ID']}", namespace=name, purge="true")


@contextmanager
def shipping(shipper: Shipper) -> Iterator[Shipper]:
    """Starts it, and ends it at the end of the block if it still runs."""
    shipper.start()
    try:
        yield shipper
    finally:
        shipper.end()


def writing(lines: int, *, pause_each: int = 0) -> str:
    """A script that writes numbered lines, with a pause of a tenth of a second after each `pause_each` of them."""
    pause = f"if [ $((i % {pause_each})) = 0 ]; then sleep 0.1; fi;" if pause_each else ""
    padding = "x" * PADDING
    return f"i=0; while [ $i -lt {lines} ]; do echo line $i {padding}; i=$((i+1)); {pause} done"


def numbers(lines: list[Received]) -> list[int]:
    return [int(line.text.split()[1]) for line in lines if line.text.startswith("line ")]


def first_of_each(lines: list[Received]) -> list[Received]:
    """The lines without those that arrived again. Checks that they are equal."""
    found: dict[tuple[str, ...], Received] = {}
    for line in lines:
        assert found.setdefault(line.place, line) == line
    return list(found.values())


@pytest.mark.parametrize("encrypted", [False, True], ids=["TCP", "TLS"])
def test_every_line_arrives_once_and_outlives_its_allocation(place: Place, tmp_path: Path, encrypted: bool) -> None:  # noqa: FBT001 - a parameter
    """Both streams, over several files of one log, in order, each with its job, task and allocation."""
    certificate = self_signed(tmp_path, "receiver", f"IP:{LOOPBACK}") if encrypted else None
    authority = str(certificate.certificate) if certificate else ""
    (tmp_path / "shipper").mkdir()
    total = 6000
    name = unique("writer")
    with receiving(tmp_path / "receiver", certificate) as receiver:
        place.run(name, f"{writing(total)}; echo an error >&2; printf 'no line end'")
        with shipping(place.shipper(tmp_path / "shipper", receiver, authority=authority)) as shipper:
            place.await_end(name)
            wait_until(lambda: len(receiver.lines()) >= total + 2, timeout_seconds=PATIENCE_SECONDS)
            wait_until(lambda: shipper.figure("log_shipper_lines_total") == total + 2, timeout_seconds=PATIENCE_SECONDS)
            place.agent.call("DELETE", f"job/{name}", namespace=place.namespace, purge="true")
            assert shipper.figure("log_shipper_gap_time_seconds") == 0
            assert shipper.figure("log_shipper_lag_seconds") == 0
    received = receiver.lines()

    assert numbers(received) == list(range(total))
    assert len({line.fields["file"] for line in received}) > 2
    assert Counter(line.fields["stream"] for line in received) == {"stdout": total + 1, "stderr": 1}
    assert {(line.host, line.application) for line in received} == {("tooling", name)}
    assert {line.fields["task"] for line in received} == {"write"}
    assert {line.text for line in received if line.fields["stream"] == "stderr"} == {"an error"}
    assert [line.text for line in received if not numbers([line])][-1:] in (["no line end"], ["an error"])


def test_kills_of_the_shipper_and_of_the_receiver_lose_no_line(place: Place, tmp_path: Path, figure: Figure) -> None:
    """A line that arrives twice can be recognised by its place. No line that was counted as received arrives again.

    The figure says how many arrived twice: those that were sent in the last `confirm_seconds` before each kill.
    """
    (tmp_path / "shipper").mkdir()
    total = 4000
    #: Of each kill, a number of lines that were counted before.
    counted: list[float] = []
    counted_before = 0.0
    name = unique("writer")
    with receiving(tmp_path / "receiver") as receiver:
        place.run(name, writing(total, pause_each=50))
        with shipping(place.shipper(tmp_path / "shipper", receiver)) as shipper:
            for step, part in enumerate((shipper, receiver, shipper, receiver), start=1):
                seen = total * step // 6
                wait_until(lambda seen=seen: len(receiver.lines()) >= seen, timeout_seconds=PATIENCE_SECONDS)
                # Nothing is counted in the first second after a start.
                wait_until(lambda: shipper.figure("log_shipper_lines_total") > 0, timeout_seconds=PATIENCE_SECONDS)
                counted.append(counted_before + shipper.figure("log_shipper_lines_total"))
                part.end(signal.SIGKILL)
                part.start()
                if part is shipper:
                    counted_before = counted[-1]
            place.await_end(name)
            wait_until(
                lambda: (
                    len(first_of_each(receiver.lines())) == total and shipper.figure("log_shipper_buffer_bytes") == 0
                ),
                timeout_seconds=PATIENCE_SECONDS,
            )
            assert shipper.figure("log_shipper_gap_time_seconds") == 0
    received = receiver.lines()

    assert sorted(numbers(first_of_each(received))) == list(range(total))
    again = [line for before, line in pairwise(numbers(received)) if line <= before]
    assert counted[-1] > 0
    assert all(line >= count for line, count in zip(again, counted, strict=False))
    figure("lines that arrived twice, of 4,000, with four kills", len(received) - total)


def test_a_full_buffer_stops_the_reading_and_missing_lines_are_reported(place: Place, tmp_path: Path) -> None:
    """While the receiver is away, Nomad removes the oldest files of a log that nothing reads any more."""
    (tmp_path / "shipper").mkdir()
    first, second = unique("writer"), unique("writer")
    total = 12_000
    with receiving(tmp_path / "receiver") as receiver:
        shipper = place.shipper(tmp_path / "shipper", receiver, buffer_mb=1)
        receiver.end(signal.SIGKILL)
        with shipping(shipper):
            place.run(first, writing(6000))
            wait_until(
                lambda: (
                    shipper.figure("log_shipper_buffer_bytes") >= shipper.figure("log_shipper_buffer_limit_bytes") > 0
                ),
                timeout_seconds=PATIENCE_SECONDS,
            )
            place.await_end(first)
            place.run(second, f"{writing(10)}; sleep 1; {writing(total)}", files=2)
            place.await_end(second)
            assert shipper.figure("log_shipper_lag_seconds") > 0
            assert shipper.figure("log_shipper_gap_time_seconds") == 0
            receiver.start()
            wait_until(lambda: shipper.figure("log_shipper_gap_time_seconds") > 0, timeout_seconds=PATIENCE_SECONDS)
            # Nomad lists allocations by their random ids, so either log may be complete first.
            for job, last in ((first, 5999), (second, total - 1)):
                wait_until(
                    lambda job=job, last=last: last in numbers(of(receiver, job)), timeout_seconds=PATIENCE_SECONDS
                )
            wait_until(lambda: shipper.figure("log_shipper_buffer_bytes") == 0, timeout_seconds=PATIENCE_SECONDS)
            # Reading stopped for a while, but the files of the first job were all kept.
            assert numbers(of(receiver, first)) == list(range(6000))
            kept = numbers(of(receiver, second))
            assert 0 < len(kept) < total
            assert kept == list(range(total - len(kept), total))


def of(receiver: Receiver, job: str) -> list[Received]:
    return [line for line in first_of_each(receiver.lines()) if line.fields["job"] == job]


def test_the_job_runs_in_the_chroot_of_production_and_continues_in_another_allocation(
    programs: Path, tmp_path: Path
) -> None:
    """It runs without root. Neither the end of the process nor that of the allocation repeats a counted line."""
    certificate = self_signed(tmp_path, "receiver", f"IP:{LOOPBACK}")
    with ExitStack() as owned:
        folder = owned.enter_context(scratch_directory())
        consul = owned.enter_context(running_consul(programs / "consul", folder / "consul.log"))
        node = NODE.format(consul=consul, chroot=chroot())
        place = owned.enter_context(place_on(owned.enter_context(running_agent(programs / "nomad", node))))
        receiver = owned.enter_context(receiving(tmp_path / "receiver", certificate))
        run_shipper(place, receiver, certificate.certificate.read_text(encoding="utf-8"))

        def arrive(lines: int) -> None:
            name = unique("writer")
            place.run(name, writing(lines))
            place.await_end(name)
            wait_until(lambda: len(of(receiver, name)) == lines, timeout_seconds=PATIENCE_SECONDS)

        first = await_shipper(place, consul, than="")
        arrive(300)
        process = await_counted(place, first)
        assert Path(f"/proc/{process}").stat().st_uid != 0
        assert not Path(f"/proc/{process}/root{ROOT}").exists()
        os.kill(process, signal.SIGKILL)
        arrive(200)
        await_counted(place, first)
        place.agent.call("POST", f"allocation/{first}/stop", namespace=place.namespace)
        second = await_shipper(place, consul, than=first)
        arrive(100)
        await_counted(place, second)
        received = receiver.lines()

    written = [line for line in received if numbers([line])]
    assert max(Counter(line.place for line in written).values()) == 1
    assert len(written) == 300 + 200 + 100


def chroot() -> str:
    """What a task sees in production. Nomad skips files that this machine does not have."""
    block = re.search(
        r"^  chroot_env \{.*?^  \}",
        (ROOT / "nomad" / "client.hcl").read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    assert block
    return block[0]


def run_shipper(place: Place, receiver: Receiver, authority: str) -> None:
    """Runs the job file as the stack does."""
    items = {"nomad_token": place.token, "authority": authority}
    path = "nomad/jobs/log-shipper"
    place.agent.call("PUT", f"var/{path}", {"Path": path, "Items": items}, namespace=place.namespace)
    given = {
        "namespace": place.namespace,
        "user": "nobody",
        "program": PROGRAM.read_text(encoding="utf-8"),
        "nomad_address": place.agent.address,
        "receiver": receiver.address,
        "buffer_mb": "16",
        "every_seconds": "1",
        "confirm_seconds": "1",
    }
    words = [word for name, value in given.items() for word in ("-var", f"{name}={value}")]
    done = place.agent.nomad("job", "run", "-detach", *words, str(ROOT / "jobs" / "log-shipper.nomad.hcl"))
    assert done.returncode == 0, done.stderr


def await_shipper(place: Place, consul: str, *, than: str) -> str:
    """The id of the allocation that runs and is not the given one, once Consul's check passes."""

    def running() -> list[str]:
        found = place.agent.call("GET", "job/log-shipper/allocations", namespace=place.namespace)
        return [each["ID"] for each in found if each["ClientStatus"] == "running" and each["ID"] != than]

    wait_until(lambda: running() and passing(consul, "log-shipper"), timeout_seconds=PATIENCE_SECONDS)
    return running()[0]


def await_counted(place: Place, allocation: str) -> int:
    """Waits until no line is in the buffer. Returns the process of the task."""
    found = place.agent.call("GET", f"allocation/{allocation}", namespace=place.namespace)
    (port,) = [each["Value"] for each in found["AllocatedResources"]["Shared"]["Ports"]]
    wait_until(
        lambda: (
            figure_of(port, "log_shipper_read_time_seconds") > 0 and figure_of(port, "log_shipper_buffer_bytes") == 0
        ),
        timeout_seconds=PATIENCE_SECONDS,
    )
    mark = f"NOMAD_ALLOC_ID={allocation}".encode()
    (process,) = [int(each.name) for each in Path("/proc").glob("[0-9]*") if runs_shipper(each, mark)]
    return process


def runs_shipper(process: Path, mark: bytes) -> bool:
    try:
        return b"ship.py" in (process / "cmdline").read_bytes() and mark in (process / "environ").read_bytes()
    except OSError:
        return False  # The process has ended in the meantime.


def test_the_token_reads_logs_and_nothing_else(place: Place) -> None:
    """Neither files of allocations, nor secrets, nor another namespace; and it changes nothing."""
    name = unique("writer")
    place.run(name, "echo done")
    place.await_end(name)
    (allocation,) = place.agent.call("GET", f"job/{name}/allocations", namespace=place.namespace)

    def ask(question: str, **query: str) -> httpx.Response:
        # `Agent.status` cannot take a parameter of the name `path`.
        return httpx.get(
            f"{place.agent.address}/v1/{question}",
            params={"namespace": place.namespace, **query},
            headers={"X-Nomad-Token": place.token},
            timeout=20,
        )

    logs = {"task": "write", "type": "stdout", "plain": "true"}
    assert ask(f"client/fs/logs/{allocation['ID']}", **logs).status_code == 200
    assert ask("allocations").status_code == 200
    assert ask(f"client/fs/ls/{allocation['ID']}", path="/").status_code == 403
    # Nomad sends the status of this answer before it checks the token.
    denied = ask(f"client/fs/cat/{allocation['ID']}", path="alloc/logs/write.stdout.0")
    assert denied.text.strip() == "Permission denied"
    assert ask("var/nomad/jobs/api").status_code == 403
    assert ask(f"job/{name}", namespace="default").status_code == 403
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        place.agent.call("DELETE", f"job/{name}", token=place.token, namespace=place.namespace)


def test_every_metric_of_the_shipper_that_is_named_is_on_its_page(place: Place, tmp_path: Path) -> None:
    """The local cluster has no shipper, so that its Prometheus cannot check them."""
    (tmp_path / "shipper").mkdir()
    with (
        receiving(tmp_path / "receiver") as receiver,
        shipping(place.shipper(tmp_path / "shipper", receiver)) as shipper,
    ):
        wait_until(lambda: shipper.figure("log_shipper_read_time_seconds") > 0, timeout_seconds=PATIENCE_SECONDS)
        names = [name for name in named() if name.startswith("log_shipper_")]
        assert names
        assert [name for name in names if shipper.figure(name) < 0] == []
