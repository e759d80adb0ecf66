"""`upschedule serve`: the API process."""

import math
import os
from typing import Any

import click
from granian.constants import Interfaces, Loops
from granian.server import MPServer

from upschedule.cli.starting import configured
from upschedule.services import LiveSettings
from upschedule.web.app import create_app
from upschedule.web.http.boundary import Application

#: Closing pools, after the last request has ended.
_CLOSING_SECONDS = 8
#: Set by Nomad for every task.
_ALLOCATION = "NOMAD_ALLOC_ID"


class _Server(MPServer):
    """Ends when its worker process dies, with that process's exit code, so that Nomad counts and explains it."""

    def shutdown(self, exit_code: int = 0) -> None:
        """Exits as a shell does: with 128 plus the number of the signal if a signal killed the process."""
        # The library types neither.
        server: Any = self
        for index in server.interrupt_children:
            ended = int(server.wrks[index].inner.exitcode)
            # Negative: the signal.
            exit_code = 128 - ended if ended < 0 else ended or 1
            click.echo(f"The server's worker process ended with exit code {exit_code}.", err=True)
        super().shutdown(exit_code)


@click.command("serve")
def command() -> None:
    """Answer HTTP until SIGTERM; then requests under way are finished first.

    Everything is set by environment variables UPSCHEDULE_…; docs/settings.md lists them. Exit codes: 0 stopped by a
    signal, 78 wrong settings, 128 and the number of a signal that killed the server, 1 anything else.
    """
    web = configured("api").web
    server = _Server(
        f"{__name__}:application",
        factory=True,
        interface=Interfaces.ASGI,
        # uvloop raises RuntimeError for a connection that was closed, which no client of a store expects (decision 43).
        loop=Loops.asyncio,
        address=web.host,
        port=web.port,
        workers=1,
        websockets=False,
        backlog=1024,
        backpressure=web.connections_max,
        respawn_failed_workers=False,
        workers_kill_timeout=math.ceil(web.drain_grace_seconds) + web.drain_seconds + _CLOSING_SECONDS,
        log_enabled=False,
    )
    server.serve()


def application() -> Application:
    """The application for the server's worker, which knows nothing but the environment."""
    return create_app(LiveSettings(configured("api")), instance=os.environ.get(_ALLOCATION, ""))
