"""Real `upschedule serve` and `upschedule work` processes for tests: started, waited for, stopped by their pids."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.identities import as_process
from tests.support.servers import Database, wait_until
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.stores.bucket import BucketAddress

# Two seconds of processor time, which take long where many tests start at once; a process that ends is noticed at once.
_START_SECONDS = 80.0


class ApiProcess:
    """One instance; `logged` gives its log lines as objects."""

    def __init__(self, environment: Mapping[str, str], output: Path, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.output = output
        with output.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "upschedule", "serve"],
                # Browsers of tests ask it directly: its own address is a public one then.
                env={
                    **_inherited(),
                    "UPSCHEDULE_WEB_ORIGINS": self.url,
                    **as_process(environment, "api"),
                    "UPSCHEDULE_WEB_PORT": str(self.port),
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def await_listening(self) -> None:
        def answers() -> bool:
            assert self.process.poll() is None, self.output.read_text()
            try:
                return httpx.get(f"{self.url}/health/live").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, timeout_seconds=_START_SECONDS)

    def logged(self, event: str) -> list[dict[str, Any]]:
        whole = self.output.read_text().rpartition("\n")[0]
        lines = (json.loads(line) for line in whole.splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("event") == event]

    def awaited(self, event: str, **fields: str) -> dict[str, Any]:
        """The one line of the event with these fields. A request's own line is written after its answer was sent."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.logged(event) if fields.items() <= line.items()]

        wait_until(found)
        (line,) = found()
        return line

    def servers(self) -> list[int]:
        """The processes that answer requests, which this one started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return [int(number) for number in children.split()]

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@contextmanager
def api_process(environment: Mapping[str, str], output: Path, *, port: int | None = None) -> Iterator[ApiProcess]:
    """`port` is that of an instance which this one replaces."""
    api = ApiProcess(environment, output, port=port)
    try:
        api.await_listening()
        yield api
    finally:
        _end(api.process)


@contextmanager
def worker_process(
    environment: Mapping[str, str], output: Path, *, program: Sequence[str] = ("-m", "upschedule", "work")
) -> Iterator[None]:
    """A real `upschedule work`, which reads with the real reader, unless another Python program is given."""
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *program],
            env={**_inherited(), **as_process(environment, "worker"), "UPSCHEDULE_WORKER_PORT": str(free_port())},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        _end(process)


def api_environment(
    database: Database, redis_state_url: str, redis_cache_url: str, objects: BucketAddress
) -> dict[str, str]:
    """Every required setting, and a pool that suits a small machine."""
    return {
        "UPSCHEDULE_POSTGRES_URL": database.dsn,
        "UPSCHEDULE_POSTGRES_POOL_SIZE_MIN": "2",
        "UPSCHEDULE_POSTGRES_POOL_SIZE_MAX": "10",
        "UPSCHEDULE_REDIS_STATE_URL": redis_state_url,
        "UPSCHEDULE_REDIS_CACHE_URL": redis_cache_url,
        "UPSCHEDULE_OBJECTS_ENDPOINT": objects.endpoint,
        "UPSCHEDULE_OBJECTS_ACCESS_KEY": objects.access_key,
        "UPSCHEDULE_OBJECTS_SECRET_KEY": objects.secret_key,
        "UPSCHEDULE_OBJECTS_BUCKET": objects.bucket,
        "UPSCHEDULE_WEB_DRAIN_GRACE_SECONDS": "0.2",
        "UPSCHEDULE_WEB_FEED_SECRET": "feed-secret-for-tests-0123456789abcdef",
    }


def _end(process: "subprocess.Popen[bytes]") -> None:
    """A process that does not end in time fails the test."""
    process.terminate()
    try:
        process.wait(60)
    finally:
        process.kill()
        process.wait()


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("UPSCHEDULE_")}
