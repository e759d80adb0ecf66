"""A worker whose sandbox runs the reader of these tests; its settings are in the environment.

An argument is the module that its golden document should name.
"""

import asyncio
import os
import sys
from pathlib import Path

from tests.support.sandbox.scripted_reader import golden
from upschedule import logging
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.sandbox import ReaderFunction, Sandbox, SandboxLimits
from upschedule.runtime.stopping import stop_on_signal
from upschedule.services import LiveSettings, open_services
from upschedule.settings.loading import load
from upschedule.worker.app import work


async def main() -> None:
    chosen = load(os.environ)
    logging.configure(level="info", process="worker")
    stop = stop_on_signal()
    async with open_services(LiveSettings(chosen), role="worker") as services:
        sandbox = a_sandbox(concurrency=chosen.worker.concurrency, cpu_seconds_max=chosen.worker.cpu_seconds_max)
        await work(services, sandbox, chosen, golden=[golden(*sys.argv[1:])], stop=stop)


def a_sandbox(*, concurrency: int = 2, cpu_seconds_max: int = 10) -> Sandbox:
    reader = ReaderFunction(function="scripted_reader:read", warm_up=None, search_path=(str(Path(__file__).parent),))
    limits = SandboxLimits(cpu_seconds_max=cpu_seconds_max)
    return Sandbox(limits=limits, reading=ReadingLimits(), concurrency_max=concurrency, reader=reader)


if __name__ == "__main__":
    asyncio.run(main())
