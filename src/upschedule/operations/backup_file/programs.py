"""Runs pg_dump and pg_restore with streams, so that no unencrypted dump is ever on a disk."""

import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, cast

from upschedule.operations.backup_file.errors import NoSpace, StoreAway
from upschedule.operations.backup_file.sealed import PIECE_BYTES
from upschedule.operations.embedded.executables import postgres_bin
from upschedule.operations.embedded.postgres import DATABASE, Postgres
from upschedule.operations.subprocesses import connection_environment

_LOCK_WAIT_MILLISECONDS = 30_000
_REASON_BYTES = 600
_DISK_FULL = "No space left on device"


def dump(dsn: str, snapshot: str, *, seconds_max: float) -> Iterator[bytes]:
    """The database as the snapshot sees it. Raises StoreAway, at the end as well."""
    wait = f"--lock-wait-timeout={_LOCK_WAIT_MILLISECONDS}"
    command = ["pg_dump", "--format=custom", "--no-password", wait, f"--snapshot={snapshot}"]
    with _running(command, dsn, seconds_max, reads=True) as output:
        while piece := output.read(PIECE_BYTES):
            yield piece


@contextmanager
def restoring(postgres: Postgres, *, seconds_max: float) -> Generator[IO[bytes]]:
    """Takes a dump into an empty database, in one transaction that ends with the block. Raises StoreAway or NoSpace."""
    command = ["pg_restore", "--no-password", "--exit-on-error", "--single-transaction", f"--dbname={DATABASE}"]
    try:
        with _running(command, postgres.owner_dsn(), seconds_max, reads=False) as target:
            yield target
            target.close()
    except StoreAway as error:
        if _DISK_FULL in str(error):
            raise NoSpace(postgres.directory, "the restored database does not fit") from error
        raise


@contextmanager
def _running(command: Sequence[str], dsn: str, seconds_max: float, *, reads: bool) -> Generator[IO[bytes]]:
    """The program's output, or its input. It is killed when the time is over, or when the block ends with an error."""
    name, *arguments = command
    with tempfile.TemporaryFile() as messages:
        try:
            process = subprocess.Popen(  # noqa: S603 - the wheel's program, or the one that POSTGRES_BIN names
                [postgres_bin() / name, *arguments],
                stdin=subprocess.DEVNULL if reads else subprocess.PIPE,
                stdout=subprocess.PIPE if reads else subprocess.DEVNULL,
                stderr=messages,
                env=connection_environment(dsn),
            )
        except OSError as error:
            raise StoreAway(name, error.strerror or "it cannot be started") from error
        pipe = cast("IO[bytes]", process.stdout if reads else process.stdin)
        timer = threading.Timer(seconds_max, process.kill)
        timer.start()
        try:
            # A program that ended early breaks its pipe; its exit code and its words say why.
            with suppress(BrokenPipeError):
                yield pipe
            code = process.wait()
            in_time = timer.is_alive()
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            with suppress(BrokenPipeError):
                pipe.close()
        if code != 0:
            messages.seek(0)
            said = messages.read()[-_REASON_BYTES:].decode(errors="replace").strip()
            raise StoreAway(name, said if in_time else f"it took longer than {seconds_max:.0f} s")
