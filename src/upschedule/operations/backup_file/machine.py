"""Finds the stores of one machine: those of a running `make run`, or the same stores, started for a command."""

import shutil
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from upschedule.operations.backup_file.context import BackupLimits
from upschedule.operations.backup_file.errors import Refused
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.embedded.server import Server
from upschedule.operations.local.addresses import noted_addresses
from upschedule.operations.local.preconditions import AnotherStackRuns, exclusive, locked
from upschedule.operations.local.replacement import DECIDED, finish_replacement
from upschedule.operations.privileges.identities import Process
from upschedule.stores.bucket import Bucket, RequestOptions

_START_SECONDS = 90.0
_SCRATCH = "backup-scratch"
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The two servers of a machine, which must answer."""

    postgres: Postgres
    objects: SeaweedFS


def holds_data(data: Path) -> bool:
    """Whether a service has ever stored something there."""
    return any((data / name / "data").exists() for name in ("postgres", "objects")) or (data / DECIDED).exists()


def bucket_of(objects: SeaweedFS, process: Process, limits: BackupLimits) -> Bucket:
    """The bucket of uploads, with the rights of that process."""
    return Bucket(objects.process_address(process), RequestOptions(silence_seconds=limits.store_seconds))


@contextmanager
def stores_of(data: Path, report: Report) -> Generator[Stores]:
    """Raises Refused, or EmbeddedServerError where the stores have to be started and do not start."""
    if not holds_data(data):
        raise Refused(f"{data} holds no data of `make run`.")
    with ExitStack() as opened:
        try:
            opened.enter_context(exclusive(data))
        except AnotherStackRuns as running:
            addresses = noted_addresses(data)
            if addresses is None:
                raise Refused(f"{running} It is starting or stopping: try again when it has.") from running
            yield Stores(
                postgres=Postgres(data / "postgres", port=addresses.postgres),
                objects=SeaweedFS(data / "objects", port=addresses.objects),
            )
            return
        finish_replacement(data, report)
        report("`make run` is stopped; starting its stores …")
        stores = Stores(postgres=Postgres(data / "postgres"), objects=SeaweedFS(data / "objects"))
        for server in (stores.postgres, stores.objects):
            opened.enter_context(started(server))
        yield stores


@contextmanager
def scratch(data: Path) -> Generator[Path]:
    """An empty folder for temporary servers. It is next to the data, which have the same rows."""
    data.mkdir(parents=True, exist_ok=True)

    def refusal(process: str) -> Refused:
        return Refused(f"Another backup of {data} runs (process {process or 'unknown'}): wait until it has ended.")

    with locked(data / "backup.lock", refusal):
        folder = data / _SCRATCH
        # A killed command left this folder; the kernel has ended its servers.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def started(server: Server) -> Generator[None]:
    try:
        server.start(timeout_seconds=_START_SECONDS)
        yield
    finally:
        server.stop()
