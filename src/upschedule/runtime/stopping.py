"""The order to stop."""

import asyncio
import signal


def stop_on_signal() -> asyncio.Event:
    """Set by SIGTERM or SIGINT, which then end nothing by themselves while the running event loop lasts."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
