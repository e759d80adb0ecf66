"""Jobs whose work runs in a thread end at once when Nomad stops them, and do not wait until it kills them."""

import os
import signal
import subprocess
import sys

import pytest

from tests.support.processes.health_pages import await_alive
from upschedule.operations.embedded.ports import free_port

#: No server listens at this address.
NOWHERE = "http://127.0.0.1:9"
COMMANDS = {
    "synthetic": (
        ("synthetic", "--url", NOWHERE, "--mail", "a@example.org", "--password", "of nobody at all"),
        {},
    ),
    "supervise": (("deploy", "supervise", "--prometheus", NOWHERE), {"NOMAD_ADDR": NOWHERE}),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_signal_ends_it_at_once(name: str, number: signal.Signals) -> None:
    """The signal arrives during a request, or during the pause before the next."""
    words, more = COMMANDS[name]
    port = free_port()
    command = [sys.executable, "-m", "upschedule", *words, "--port", str(port)]
    with subprocess.Popen(command, env=os.environ | more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        try:
            await_alive(port)
            run.send_signal(number)
            assert run.wait(timeout=4) == -number
        finally:
            run.kill()
