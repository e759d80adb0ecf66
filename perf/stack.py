"""Starts the whole system as a person does (`upschedule local`), on free ports with data of its own."""

import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

from upschedule.operations.embedded import launcher
from upschedule.operations.embedded.ports import free_port

LAUNCHER = Path(launcher.__file__)
READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0


class Stack(NamedTuple):
    """A system that answers at `url`; `supervisor` is the process that owns all others.

    `lines` are what it printed until it was ready, with the addresses of its servers; `output` also has what it has
    printed since.
    """

    url: str
    supervisor: int
    data: Path
    lines: tuple[str, ...]
    output: Sequence[str]

    def addresses(self) -> dict[str, str]:
        """HOST:PORT of each server inside, by the name under which the system prints it."""
        return dict(re.findall(r"^  (\S.*?)  +(\S+)$", "\n".join(self.lines), re.MULTILINE))

    def passwords(self, server: str) -> dict[str, str]:
        """The passwords by user. `server` is the pattern of the server's folder in the data."""
        [file] = self.data.glob(f"{server}/passwords.json")
        return msgspec.json.decode(file.read_bytes(), type=dict[str, str])

    def postgres_url(self) -> str:
        """The URL for the superuser."""
        password = self.passwords("postgres")["postgres"]
        return f"postgresql://postgres:{password}@{self.addresses()['PostgreSQL']}/upschedule"

    def cache_url(self) -> str:
        """The URL of the Redis for cached data, for the operator's user."""
        password = self.passwords("*cache*")["default"]
        return f"redis://:{password}@{self.addresses()['Redis (cache)']}/0"

    def workers(self) -> list[int]:
        """Ids of the worker processes, lowest first."""
        children = psutil.Process(self.supervisor).children(recursive=True)
        return sorted(child.pid for child in children if "work" in child.cmdline())


@contextmanager
def running_stack(
    python: Path, settings: Mapping[str, str] | None = None, *, data: Path | None = None
) -> Iterator[Stack]:
    """Raises RuntimeError with the last lines printed where the system is not ready in time.

    `settings` are environment variables. Without `data`, the system has a new folder, which is removed after it.
    """
    with nullcontext(str(data)) if data else tempfile.TemporaryDirectory(prefix="upschedule-perf-") as folder:
        environment = {**os.environ, "PORT": str(free_port()), "UPSCHEDULE_DATA": folder, "PYTHONUNBUFFERED": "1"}
        environment |= settings or {}
        process = subprocess.Popen(
            # The kernel ends the system when this program ends, in any way.
            [python, LAUNCHER, str(os.getpid()), str(int(signal.SIGTERM)), "own", python, "-m", "upschedule", "local"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: list[str] = []
        ready = threading.Event()

        def read() -> None:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                if line.startswith("ready: "):
                    ready.set()
            ready.set()

        reader = threading.Thread(target=read)
        reader.start()
        try:
            ready.wait(READY_SECONDS_MAX)
            url = next((line.removeprefix("ready: ") for line in lines if line.startswith("ready: ")), None)
            if url is None:
                raise RuntimeError("the system did not become ready:\n" + "\n".join(lines[-20:]))
            yield Stack(url=url, supervisor=process.pid, data=Path(folder), lines=tuple(lines), output=lines)
        finally:
            process.terminate()
            process.wait(STOP_SECONDS_MAX)
            reader.join(STOP_SECONDS_MAX)
