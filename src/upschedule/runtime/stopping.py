"""Turns SIGTERM and SIGINT into an event."""

import asyncio
import signal


def stop_on_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set. They no longer end the process by themselves."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
