"""Addresses of the real servers, and worker processes on them."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.services import Addresses
from upschedule.operations.embedded.ports import free_port
from upschedule.operations.embedded.seaweedfs import ObjectStoreAddress, SeaweedFS

StartWorker = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def emptied_object_store(seaweedfs_server: SeaweedFS, object_store: ObjectStoreAddress) -> Iterator[ObjectStoreAddress]:
    yield object_store
    client = seaweedfs_server.admin_client()
    for item in client.list_objects(bucket_name=object_store.bucket, recursive=True):
        client.remove_object(bucket_name=object_store.bucket, object_name=item.object_name)


@pytest.fixture
def addresses(
    postgres_dsn: str, redis_state_url: str, redis_cache_url: str, emptied_object_store: ObjectStoreAddress
) -> Addresses:
    return Addresses(
        postgres_dsn=postgres_dsn,
        redis_state_url=redis_state_url,
        redis_cache_url=redis_cache_url,
        objects=emptied_object_store,
    )


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Start a worker process with the reader of these tests; what the test leaves running is killed."""
    with ExitStack() as owned:

        def start(addresses: Addresses, settings: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
            program = Path(__file__).parent / "worker_process.py"
            port = {"WORKER_PORT": str(free_port())}
            log = owned.enter_context((tmp_path / f"worker-{port['WORKER_PORT']}.log").open("w"))
            process = subprocess.Popen(
                [sys.executable, str(program)],
                env=addresses.environment({**port, **(settings or {})}),
                stdout=log,
                stderr=log,
                text=True,
            )
            owned.callback(_end, process)
            return process

        yield start


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
