"""Addresses of the real servers, and worker and scheduler processes on them."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.identities import as_process
from tests.support.paths import ROOT
from tests.support.sandbox.scripted_reader import GOLDEN_MODULE
from tests.support.services import Addresses
from upschedule.operations.embedded.ports import free_port
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.stores.bucket import BucketAddress

StartWorker = Callable[..., "subprocess.Popen[str]"]
StartScheduler = Callable[..., "subprocess.Popen[str]"]

_WORKER = ("-m", "tests.support.sandbox.scripted_worker")
_SCHEDULER = ("-m", "upschedule", "schedule")


@pytest.fixture
def emptied_object_store(seaweedfs_server: SeaweedFS, object_store: BucketAddress) -> Iterator[BucketAddress]:
    yield object_store
    client = seaweedfs_server.admin_client()
    for item in client.list_objects(bucket_name=object_store.bucket, recursive=True):
        client.remove_object(bucket_name=object_store.bucket, object_name=str(item.object_name))


@pytest.fixture
def addresses(
    postgres_dsn: str, redis_state_url: str, redis_cache_url: str, emptied_object_store: BucketAddress
) -> Addresses:
    return Addresses(
        postgres_dsn=postgres_dsn,
        redis_state_url=redis_state_url,
        redis_cache_url=redis_cache_url,
        objects=emptied_object_store,
    )


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Starts a worker process with the reader of these tests. A worker that a test leaves running is killed.

    `golden` is the module that the worker expects where GOLDEN_MODULE is printed.
    """
    with ExitStack() as owned:

        def start(
            addresses: Addresses, settings: Mapping[str, str] | None = None, *, golden: str = GOLDEN_MODULE
        ) -> "subprocess.Popen[str]":
            chosen = {"WORKER_PORT": str(free_port()), **(settings or {})}
            log = tmp_path / f"worker-{chosen['WORKER_PORT']}.log"
            environment = as_process(addresses.environment(chosen), "worker")
            return _started(owned, (*_WORKER, golden), environment, log)

        yield start


@pytest.fixture
def start_scheduler(tmp_path: Path) -> Iterator[StartScheduler]:
    """Starts a real `upschedule schedule`. A scheduler that a test leaves running is killed."""
    with ExitStack() as owned:

        def start(addresses: Addresses, settings: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
            chosen = {"SCHEDULER_PORT": str(free_port()), **(settings or {})}
            log = tmp_path / f"scheduler-{chosen['SCHEDULER_PORT']}.log"
            return _started(owned, _SCHEDULER, as_process(addresses.environment(chosen), "scheduler"), log)

        yield start


def _started(
    owned: ExitStack, program: Sequence[str], environment: Mapping[str, str], log: Path
) -> "subprocess.Popen[str]":
    output = owned.enter_context(log.open("w"))
    command = [sys.executable, *program]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output, text=True)
    owned.callback(_end, process)
    return process


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
