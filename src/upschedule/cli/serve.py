"""`upschedule serve`: the API process."""

import math
import os

import click
from granian import Granian
from granian.constants import Interfaces

from upschedule.cli.starting import configured
from upschedule.services import LiveSettings
from upschedule.web.app import create_app
from upschedule.web.http.boundary import Application

#: Closing pools, after the last request has ended.
_CLOSING_SECONDS = 8
#: Set by Nomad for every task.
_ALLOCATION = "NOMAD_ALLOC_ID"


@click.command("serve")
def command() -> None:
    """Answer HTTP until SIGTERM; then requests under way are finished first.

    Everything is set by environment variables UPSCHEDULE_…; docs/settings.md lists them. Exit codes: 0 stopped as told,
    78 wrong settings, 1 anything else.
    """
    web = configured("api").web
    server = Granian(
        f"{__name__}:application",
        factory=True,
        interface=Interfaces.ASGI,
        address=web.host,
        port=web.port,
        workers=1,
        websockets=False,
        backlog=1024,
        backpressure=web.connections_max,
        respawn_failed_workers=True,
        workers_kill_timeout=math.ceil(web.drain_grace_seconds) + web.drain_seconds + _CLOSING_SECONDS,
        log_enabled=False,
    )
    server.serve()


def application() -> Application:
    """The application for the server's worker, which knows nothing but the environment."""
    return create_app(LiveSettings(configured("api")), instance=os.environ.get(_ALLOCATION, ""))
