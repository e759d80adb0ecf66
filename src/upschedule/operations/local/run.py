"""`make run`: the whole service on one machine, in the foreground, until it is told to stop."""

import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from upschedule.operations.embedded.identity import Identity
from upschedule.operations.embedded.postgres import APPLICATION_ROLE
from upschedule.operations.embedded.server import Server
from upschedule.operations.local.checks import DiskWatch, check_room, exclusive
from upschedule.operations.local.stack import LocalStack
from upschedule.operations.local.supervisor import Supervisor
from upschedule.operations.migration.files import read_migrations
from upschedule.operations.migration.migrate import MigrationPolicy, Surroundings, migrate

_START_SECONDS = 90.0
_CHECK_SECONDS = 0.2
_SAME_REQUEST_SECONDS = 1.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_IDENTITY = {
    Identity.NOBODY: "as the user nobody",
    Identity.NAMESPACE: "without root's rights, in a user namespace, since nobody cannot reach its files",
}


class StopRequested(Exception):
    """A signal asked to stop."""


class StopSwitch:
    """Turns stop signals into StopRequested at the next pause.

    Ctrl-C again while all stops ends the process at once; then the kernel tells the children (launcher).
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


@dataclass(frozen=True, kw_only=True)
class LocalOptions:
    """`environment` holds the settings that the person gave."""

    data: Path
    port: int
    migrations: Path
    environment: dict[str, str]


class Progress:
    """One line a step, with the time since the beginning."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._begun = time.monotonic()

    def say(self, text: str) -> None:
        self._say(f"[{time.monotonic() - self._begun:5.1f} s] {text}")


def run(options: LocalOptions, *, say: Callable[[str], None]) -> None:
    """Return after a stop signal.

    Raises LocalStackRefused, EmbeddedServerError, MigrationError, RoleMissing or KeepsEnding.
    """
    switch, progress = StopSwitch(), Progress(say)
    with exclusive(options.data):
        check_room(options.data, port=options.port)
        stack = LocalStack(options.data.resolve(), port=options.port, environment=options.environment)
        with _stopping(stack, progress):
            _start(stack, options, switch, progress)
            _show(stack, say)
            supervisor = Supervisor(stack.servers, say=progress.say)
            room = DiskWatch(options.data, say=progress.say)
            while True:
                supervisor.check()
                room.check()
                switch.pause(_CHECK_SECONDS)


def _start(stack: LocalStack, options: LocalOptions, switch: StopSwitch, progress: Progress) -> None:
    progress.say(f"Data: {options.data.resolve()}")
    _say_identities(stack, progress)
    for server in stack.stores:
        _announce(server, progress)
        server.start(timeout_seconds=_START_SECONDS, pause=switch.pause)
    progress.say("Migrating the database …")
    _migrate(stack, options, switch)
    for process in stack.processes:
        _announce(process, progress)
        process.spawn()
    for process in stack.processes:
        process.await_ready(timeout_seconds=_START_SECONDS, pause=switch.pause)
    _announce(stack.traefik, progress)
    stack.traefik.start(timeout_seconds=_START_SECONDS, pause=switch.pause)
    progress.say("Everything answers")


def _migrate(stack: LocalStack, options: LocalOptions, switch: StopSwitch) -> None:
    migrate(
        stack.postgres.owner_dsn(),
        read_migrations(options.migrations),
        application_role=APPLICATION_ROLE,
        policy=MigrationPolicy(),
        surroundings=Surroundings(pause=switch.pause),
    )


def _announce(server: Server, progress: Progress) -> None:
    progress.say(f"Starting {server.name} …")


def _say_identities(stack: LocalStack, progress: Progress) -> None:
    if os.geteuid() != 0:
        return
    for identity, sentence in _IDENTITY.items():
        names = [server.name for server in stack.servers if server.identity is identity]
        if names:
            progress.say(f"You are root; started {sentence}: {', '.join(names)}")


def _show(stack: LocalStack, say: Callable[[str], None]) -> None:
    say("Inside addresses, reachable from this machine only:")
    rows = stack.inside()
    width = max(len(name) for name, _ in rows)
    for name, address in rows:
        say(f"  {name:<{width}}  {address}")
    say(f"ready: {stack.public_url}")


@contextmanager
def _stopping(stack: LocalStack, progress: Progress) -> Generator[None]:
    try:
        yield
    except StopRequested:
        pass
    finally:
        for group in stack.stopping_order:
            running = [server for server in group if server.running]
            if running:
                progress.say(f"Stopping {', '.join(server.name for server in running)} …")
            for server in running:
                server.request_stop()
            for server in group:
                server.stop()
        progress.say("Stopped; the data stay")
