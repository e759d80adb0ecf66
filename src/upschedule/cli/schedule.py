"""`upschedule schedule`: the process that recovers lost jobs and removes expired data."""

import asyncio
import os

import click

from upschedule.cli.failing import fail
from upschedule.cli.starting import configured
from upschedule.runtime.stopping import stop_on_signal
from upschedule.scheduler.app import schedule
from upschedule.services import LiveSettings, open_services
from upschedule.settings import Settings


@click.command("schedule")
def command() -> None:
    """Find lost jobs and remove what is past its time, until SIGTERM. Of several, one leads; the others wait.

    Everything is set by environment variables UPSCHEDULE_…; docs/settings.md lists them. Exit codes: 0 stopped by a
    signal, 78 wrong settings, 69 the port is taken, 1 anything else.
    """
    settings = configured("scheduler")
    try:
        asyncio.run(_schedule(settings))
    except OSError as error:
        fail(os.EX_UNAVAILABLE, error)


async def _schedule(settings: Settings) -> None:
    stop = stop_on_signal()
    async with open_services(LiveSettings(settings), role="scheduler") as services:
        await schedule(services, settings, stop=stop)
