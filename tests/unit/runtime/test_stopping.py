"""The signals that stop a process."""

import signal
import subprocess
import sys

import pytest

WAITS = """
import asyncio
from upschedule.runtime.stopping import stop_on_signal

async def main() -> None:
    stop = stop_on_signal()
    print("waiting", flush=True)
    await stop.wait()
    print("told to stop")

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nomads_signal_and_the_keyboards_both_let_it_end_its_work(number: signal.Signals) -> None:
    """The test uses a separate process, since a signal without a handler would end the tests."""
    with subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        output, _ = process.communicate(timeout=20)
    assert (process.returncode, output) == (0, "told to stop\n")
