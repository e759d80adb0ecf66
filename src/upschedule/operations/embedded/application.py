"""The API, a worker or the scheduler as an embedded server."""

import sys
from collections.abc import Mapping
from pathlib import Path

import upschedule
from upschedule.operations.embedded.health import UNHEALTHY, expect_ok
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.server import Command, Server

# Longer than the settings `drain_seconds`, within which a process finishes its work.
_STOP_SECONDS = 40.0


class Application(Server):
    """`upschedule SUBCOMMAND` with its settings in the environment; ready when its own /health/ready says so."""

    unready = UNHEALTHY

    def __init__(
        self, name: str, directory: Path, *, subcommand: str, port_variable: str, environment: Mapping[str, str]
    ) -> None:
        """`port_variable` is the setting of the port of its health endpoint."""
        super().__init__(name, directory, programs=[Path(sys.executable), Path(upschedule.__file__)])
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        self._subcommand = subcommand
        self._environment = {**environment, port_variable: str(port)}

    def command(self) -> Command:
        return Command(
            argv=[sys.executable, "-m", "upschedule", self._subcommand],
            environment=self._environment,
            stop_timeout_seconds=_STOP_SECONDS,
        )

    def probe(self) -> None:
        expect_ok(f"{self.url}/health/ready")
