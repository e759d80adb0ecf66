"""Starting and stopping servers as processes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.processes.listing import processes_in
from tests.support.servers import started, wait_until
from upschedule.operations.embedded.errors import ServerFailed
from upschedule.operations.embedded.identity import Identity, choose_identity
from upschedule.operations.embedded.ports import GRPC_OFFSET, LOOPBACK, free_port, is_free
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.server import LOG_BYTES_MAX, Command, Server
from upschedule.operations.embedded.valkey import STATE, Valkey
from upschedule.operations.local.supervisor import RestartLimitReached, Supervisor

STARTER = """
import sys, time
from pathlib import Path
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.embedded.valkey import CACHE, Valkey
for kind, *use in ((Postgres,), (Valkey, CACHE), (SeaweedFS,)):
    kind(Path(sys.argv[1], kind.__name__), *use).start()
print("started", flush=True)
time.sleep(600)
"""


class Shell(Server):
    """A server that is a shell script. It answers once it has created the file `up`."""

    def __init__(self, directory: Path, script: str, *, stop_timeout_seconds: float = 5.0) -> None:
        super().__init__("Shell", directory, programs=[])
        self.script, self.stop_timeout_seconds = script, stop_timeout_seconds

    def command(self) -> Command:
        return Command(argv=["/bin/sh", "-c", self.script], stop_timeout_seconds=self.stop_timeout_seconds)

    def probe(self) -> None:
        (self.directory / "up").stat()


@pytest.fixture
def place(scratch: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    directory = scratch / request.node.name
    yield directory
    wait_until(lambda: processes_in(directory) == {})


def test_nothing_survives_a_killed_starter(place: Path) -> None:
    """Kill -9 of the process that started the servers ends them all."""
    place.mkdir(mode=0o755)
    starter = subprocess.Popen([sys.executable, "-c", STARTER, place], stdout=subprocess.PIPE, text=True)
    with starter:
        assert starter.stdout
        assert starter.stdout.readline() == "started\n"
        assert len(processes_in(place)) > 4
        starter.kill()
    wait_until(lambda: processes_in(place) == {})


def test_a_server_that_ignores_its_stop_signal_is_killed(place: Path) -> None:
    """Stopping has a deadline, and the whole process group ends."""
    script = "trap '' TERM; sleep 600 & touch up; wait; sleep 600"
    with started(Shell(place, script, stop_timeout_seconds=0.3)) as server:
        assert len(processes_in(place)) == 2
        server.stop()
        assert not server.running


def test_a_server_that_ends_at_once_is_reported_with_its_log(place: Path) -> None:
    """The error contains the reason from the log."""
    with pytest.raises(ServerFailed, match=r"(?s)ended with code 3.*no such luck"):
        Shell(place, "echo no such luck; exit 3").start()


def test_a_server_that_never_answers_is_stopped(place: Path) -> None:
    """Waiting has a deadline."""
    with pytest.raises(ServerFailed, match="did not answer"):
        Shell(place, "exec sleep 600").start(timeout_seconds=0.5)


def test_a_server_works_below_a_private_directory(tmp_path: Path) -> None:
    """This also works for root, where the data are in a folder that only root may enter."""
    tmp_path.chmod(0o700)
    with started(Postgres(tmp_path / "postgres", durable=False)) as server:
        assert server.identity is (Identity.NAMESPACE if os.geteuid() == 0 else Identity.OWN)
        with psycopg.connect(server.application_dsn()) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_root_runs_servers_as_an_unprivileged_user_where_that_user_has_access(scratch: Path) -> None:
    """R8.1 requires that no server runs as root."""
    expected = Identity.NOBODY if os.geteuid() == 0 else Identity.OWN
    assert choose_identity([scratch / "data"]) is expected


def test_a_port_in_use_is_not_given_out() -> None:
    """No port is given out twice. For a port with gRPC, the port at its offset is also free."""
    ports = [free_port() for _ in range(50)] + [free_port(with_grpc=True)]
    assert len(set(ports)) == len(ports)
    assert is_free(ports[-1] + GRPC_OFFSET)
    with socket.create_server((LOOPBACK, ports[0])):
        assert not is_free(ports[0])


def test_a_killed_server_is_started_again_with_its_data(place: Path) -> None:
    """The supervisor reports it, and waits a second first."""
    messages: list[str] = []
    with started(Valkey(place, STATE)) as server:
        supervisor = Supervisor([server], report=messages.append)
        supervisor.poll()
        first = server.pid
        server.kill()
        wait_until(lambda: supervisor.poll() or (server.running and server.pid != first))
        server.await_ready(timeout_seconds=10)
    assert messages == [
        f"Redis (state) ended unexpectedly; it starts again in 1 s (log: {server.log})",
        "Redis (state) was started again",
    ]


def test_a_server_that_keeps_ending_is_given_up(place: Path) -> None:
    """The pauses double, and the number of restarts is limited."""
    messages: list[str] = []
    now = [0.0]
    server = Shell(place, "exit 1")
    supervisor = Supervisor([server], report=messages.append, clock=lambda: now[0])

    def ends_for_good() -> bool:
        now[0] += 1.0
        supervisor.poll()
        return False

    with pytest.raises(RestartLimitReached, match="7 times"):
        wait_until(ends_for_good)
    pauses = [line.split(" in ")[1].split(" s ")[0] for line in messages if "ended" in line]
    assert pauses == ["1", "2", "4", "8", "16", "30"]
    server.stop()


def test_a_long_log_begins_anew_and_its_last_content_stays(place: Path) -> None:
    """The server continues to write into the same file."""
    server = Shell(place, f"head -c {LOG_BYTES_MAX + 1} /dev/zero; touch up; read _ < go; echo more; exec sleep 600")
    os.mkfifo(place / "go")
    with started(server):
        Supervisor([server], report=print).poll()
        assert server.log.stat().st_size == 0
        (place / "go").write_text("on\n")
        wait_until(lambda: server.log.read_text() == "more\n")
        assert (place / "log.1").stat().st_size == LOG_BYTES_MAX + 1


def test_the_stop_signal_of_a_terminal_does_not_reach_servers(place: Path) -> None:
    """Only the starting process handles Ctrl-C, and it stops servers in order."""
    server = Shell(place, "touch up; exec sleep 600")
    server.start()
    assert server.pid
    assert os.getpgid(server.pid) != os.getpgid(0)
    assert os.getsid(server.pid) != os.getsid(0)
    os.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: not server.running)
