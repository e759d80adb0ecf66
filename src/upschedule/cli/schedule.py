"""`upschedule schedule`: the process that finds lost jobs and removes what is past its time."""

import asyncio
import os

import click

from upschedule.cli.failing import fail
from upschedule.cli.starting import configured, rollout_state_file
from upschedule.runtime.stopping import stop_on_signal
from upschedule.scheduler.app import SchedulerOptions, schedule
from upschedule.services import LiveSettings, open_services
from upschedule.settings import Settings


@click.command("schedule")
def command() -> None:
    """Find lost jobs and remove what is past its time, until SIGTERM. Of several, one leads; the others stand by.

    Everything is set by environment variables UPSCHEDULE_…; docs/settings.md lists them. Exit codes: 0 stopped as told,
    78 wrong settings, 69 the port is taken, 1 anything else.
    """
    chosen = configured("scheduler")
    try:
        asyncio.run(_schedule(chosen))
    except OSError as error:
        fail(os.EX_UNAVAILABLE, error)


async def _schedule(chosen: Settings) -> None:
    stop = stop_on_signal()
    async with open_services(LiveSettings(chosen), role="scheduler") as services:
        await schedule(services, options_of(chosen), stop=stop)


def options_of(chosen: Settings) -> SchedulerOptions:
    return SchedulerOptions(
        host=chosen.scheduler.host,
        port=chosen.scheduler.port,
        sweep_seconds=chosen.jobs.sweep_seconds,
        retention_seconds=chosen.jobs.retention_seconds,
        rollout_state_file=rollout_state_file(chosen),
    )
