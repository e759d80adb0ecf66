"""`make run`: runs the whole service on one machine, in the foreground, until a stop signal."""

import os
import signal
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from upschedule.operations.embedded.identity import Identity
from upschedule.operations.embedded.postgres import APPLICATION_ROLE
from upschedule.operations.embedded.server import Server
from upschedule.operations.local.addresses import addresses_noted, forget_addresses
from upschedule.operations.local.disk_watch import DiskWatch
from upschedule.operations.local.preconditions import check_port_and_disk, exclusive
from upschedule.operations.local.progress import TimedProgress
from upschedule.operations.local.replacement import finish_replacement
from upschedule.operations.local.stack import LocalStack
from upschedule.operations.local.supervisor import Supervisor
from upschedule.operations.migration.files import read_migrations
from upschedule.operations.migration.migrate import MigrationPolicy, Timing, migrate

_START_SECONDS = 90.0
_CHECK_SECONDS = 0.2
_SAME_REQUEST_SECONDS = 1.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_IDENTITY = {
    Identity.NOBODY: "as the user nobody",
    Identity.NAMESPACE: "without root's rights, in a user namespace, since the user nobody cannot reach its files",
}


class StopRequested(Exception):
    """A signal asked to stop."""


class StopSwitch:
    """Turns stop signals into StopRequested at the next pause.

    A second Ctrl-C during the stop ends the process at once; the kernel then signals the children (launcher).
    """

    def __init__(self) -> None:
        self._requested_at: float | None = None
        for number in _STOP_SIGNALS:
            signal.signal(number, self._note)

    def pause(self, seconds: float) -> None:
        """Sleep. Raises StopRequested."""
        if self._requested_at is None:
            time.sleep(seconds)
        if self._requested_at is not None:
            raise StopRequested

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        now = time.monotonic()
        if self._requested_at is None:
            self._requested_at = now
        # One request may arrive twice, from the terminal or a process group and again from make.
        elif number == signal.SIGINT and now - self._requested_at > _SAME_REQUEST_SECONDS:
            os._exit(128 + number)


def run(
    data: Path, *, port: int, migrations: Path, environment: Mapping[str, str], report: Callable[[str], None]
) -> None:
    """Return after a stop signal. `environment` has the settings that the user gave.

    Raises LocalStackRefused, EmbeddedServerError, MigrationError, RoleMissing or RestartLimitReached.
    """
    switch, progress = StopSwitch(), TimedProgress(report)
    with exclusive(data):
        forget_addresses(data)
        finish_replacement(data, progress.report)
        check_port_and_disk(data, port=port)
        stack = LocalStack(data.resolve(), port=port, environment=environment)
        with _stopping(stack, progress):
            progress.report(f"Data: {data.resolve()}")
            _start(stack, migrations, switch, progress)
            with addresses_noted(data, postgres=stack.postgres.port, objects=stack.objects.port):
                _report_addresses(stack, report)
                _watch(stack, data, switch, progress)


def _watch(stack: LocalStack, data: Path, switch: StopSwitch, progress: TimedProgress) -> NoReturn:
    supervisor = Supervisor(stack.servers, report=progress.report)
    disk = DiskWatch(data, report=progress.report)
    while True:
        supervisor.poll()
        disk.poll()
        switch.pause(_CHECK_SECONDS)


def _start(stack: LocalStack, migrations: Path, switch: StopSwitch, progress: TimedProgress) -> None:
    _report_identities(stack, progress)
    for server in stack.stores:
        _announce(server, progress)
        server.start(timeout_seconds=_START_SECONDS, pause=switch.pause)
    progress.report("Migrating the database …")
    _migrate(stack, migrations, switch)
    for process in stack.processes:
        _announce(process, progress)
        process.spawn()
    for process in stack.processes:
        process.await_ready(timeout_seconds=_START_SECONDS, pause=switch.pause)
    _announce(stack.traefik, progress)
    stack.traefik.start(timeout_seconds=_START_SECONDS, pause=switch.pause)
    progress.report("Everything answers")


def _migrate(stack: LocalStack, migrations: Path, switch: StopSwitch) -> None:
    migrate(
        stack.postgres.owner_dsn(),
        read_migrations(migrations),
        application_role=APPLICATION_ROLE,
        policy=MigrationPolicy(),
        timing=Timing(pause=switch.pause),
    )


def _announce(server: Server, progress: TimedProgress) -> None:
    progress.report(f"Starting {server.name} …")


def _report_identities(stack: LocalStack, progress: TimedProgress) -> None:
    if os.geteuid() != 0:
        return
    for identity, sentence in _IDENTITY.items():
        names = [server.name for server in stack.servers if server.identity is identity]
        if names:
            progress.report(f"You are root; started {sentence}: {', '.join(names)}")


def _report_addresses(stack: LocalStack, report: Callable[[str], None]) -> None:
    report("Inside addresses, reachable from this machine only:")
    rows = stack.inside()
    width = max(len(name) for name, _ in rows)
    for name, address in rows:
        report(f"  {name:<{width}}  {address}")
    report(f"ready: {stack.public_url}")


@contextmanager
def _stopping(stack: LocalStack, progress: TimedProgress) -> Generator[None]:
    try:
        yield
    except StopRequested:
        pass
    finally:
        for group in stack.stopping_order:
            running = [server for server in group if server.running]
            if running:
                progress.report(f"Stopping {', '.join(server.name for server in running)} …")
            for server in running:
                server.request_stop()
            for server in group:
                server.stop()
        progress.report("Stopped; the data stay")
