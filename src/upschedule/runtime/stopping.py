"""Handles SIGTERM and SIGINT: they set an event, or end the process at once."""

import asyncio
import signal


def stop_on_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set. They no longer end the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def end_on_signal() -> None:
    """Lets SIGTERM and SIGINT end the process at once: for one whose thread may stop anywhere, and is not waited for.

    By default SIGINT, which Nomad sends, lets asyncio wait for the thread until Nomad kills the process.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
