"""`upschedule work`: the process that reads documents."""

import asyncio
import os

import click

from upschedule import golden
from upschedule.cli.failing import fail
from upschedule.cli.starting import configured
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox import Protection, Sandbox, SandboxFailed, SandboxLimits, SandboxPolicy
from upschedule.runtime.stopping import stop_on_signal
from upschedule.services import LiveSettings, open_services
from upschedule.settings import Settings
from upschedule.worker.app import work
from upschedule.worker.self_check import GoldenMisread


@click.command("work")
def command() -> None:
    """Read documents until SIGTERM; then those under way are finished or given back to the queue first.

    Everything is set by environment variables UPSCHEDULE_…; docs/settings.md lists them. Exit codes: 0 stopped by a
    signal, 78 wrong settings, 69 this host refuses the sandbox or the port is taken, 70 this release reads a golden
    document wrongly, 1 anything else.
    """
    settings = configured("worker")
    try:
        asyncio.run(_work(settings))
    except (SandboxFailed, OSError) as error:
        fail(os.EX_UNAVAILABLE, error)
    except GoldenMisread as error:
        fail(os.EX_SOFTWARE, error)


async def _work(settings: Settings) -> None:
    stop = stop_on_signal()
    async with open_services(LiveSettings(settings), role="worker") as services:
        await work(services, _sandbox(settings), settings, golden=golden.load().documents, stop=stop)


def _sandbox(settings: Settings) -> Sandbox:
    worker = settings.worker
    return Sandbox(
        limits=SandboxLimits(memory_bytes_max=worker.memory_bytes_max, cpu_seconds_max=worker.cpu_seconds_max),
        reading=ReadingLimits(
            size_bytes_max=settings.uploads.size_bytes_max,
            pages_max=settings.uploads.pages_max,
            content_bytes_max=settings.uploads.content_bytes_max,
        ),
        policy=SandboxPolicy(required=frozenset({Protection.SECCOMP, *map(Protection, worker.sandbox_required)})),
        concurrency_max=worker.concurrency,
    )
