"""A PostgreSQL for one restored backup. Nothing but this process can connect to it, and it archives nothing."""

import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from upschedule.operations.cluster_backup.errors import StepFailed
from upschedule.operations.cluster_backup.repository import Repository
from upschedule.operations.cluster_backup.target import RecoveryTarget
from upschedule.operations.embedded.errors import ServerFailed
from upschedule.operations.embedded.server import Command, Server
from upschedule.operations.subprocesses import ProgramFailed, run_program

_CONNECT_SECONDS = 5
# The one who may connect is the one who may enter the folder of the socket.
_ACCESS = "local all all trust\n"


@dataclass(frozen=True, kw_only=True)
class ScratchOptions:
    """`programs` is the folder of PostgreSQL's programs, of the version that was backed up.

    `folder` has room for the whole database. `start_seconds` bounds the recovery, `check_seconds` the check of all
    tables and indexes.
    """

    programs: Path
    folder: Path
    start_seconds: float = 1800.0
    check_seconds: float = 3600.0


class ScratchServer(Server):
    """Recovers what was restored into `directory/data`, and then answers on a socket in `directory`."""

    unready = (psycopg.OperationalError,)

    def __init__(self, directory: Path, programs: Path, variables: Mapping[str, str]) -> None:
        """`variables` say where the repository is."""
        self._programs = programs
        self._variables = variables
        super().__init__("The scratch server", directory, programs=[programs / "postgres"])

    def dsn(self, database: str) -> str:
        """The connection string of the superuser of the restored server."""
        return f"host={self.directory} port=5432 user=postgres dbname={database}"

    def prepare(self) -> None:
        (self.directory / "pg_hba.conf").write_text(_ACCESS, encoding="ascii")

    def command(self) -> Command:
        options = self.options()
        flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return Command(
            argv=[str(self._programs / "postgres"), "-D", str(self.directory / "data"), *flags],
            # For the command that fetches the write-ahead log from the repository.
            environment={**self._variables, "PGBACKREST_LOCK_PATH": str(self.directory / "lock")},
            # At once, without a checkpoint: it is thrown away.
            stop_signal=signal.SIGQUIT,
            death_signal=signal.SIGQUIT,
        )

    def options(self) -> dict[str, str]:
        """Settings of the server."""
        return {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": str(self.directory),
            "unix_socket_permissions": "0700",
            "hba_file": str(self.directory / "pg_hba.conf"),
            # It answers once recovery has ended, and needs not the resources of the server that was backed up.
            "hot_standby": "off",
            "max_connections": "10",
            "shared_buffers": "64MB",
            # It is thrown away.
            "fsync": "off",
            "ssl": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_error_verbosity": "terse",
        }

    def probe(self) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True, connect_timeout=_CONNECT_SECONDS):
            pass


@contextmanager
def restored(target: RecoveryTarget, repository: Repository, options: ScratchOptions) -> Generator[ScratchServer]:
    """A server with the contents as of the target. Raises StepFailed; leaves nothing behind."""
    options.folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(options.folder)
    folder = Path(tempfile.mkdtemp(prefix=_LEFTOVER, dir=options.folder))
    try:
        # Servers that root starts run as another user.
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        server = ScratchServer(folder / "server", options.programs, repository.variables)
        data = folder / "server" / "data"
        data.mkdir(mode=0o700)
        repository.restore(target, data)
        try:
            server.start(timeout_seconds=options.start_seconds)
            yield server
        except ServerFailed as error:
            raise StepFailed("Starting the restored server", str(error)) from error
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def check_structures(server: ScratchServer, database: str, options: ScratchOptions) -> str | None:
    """Reads every row and every index of the database. Returns what is damaged, or None."""
    name = options.programs / "pg_amcheck"
    command = [
        name,
        "--install-missing",
        "--heapallindexed",
        "--parent-check",
        "--no-password",
        f"--host={server.directory}",
    ]
    try:
        run_program(
            [*command, "--username=postgres", database],
            timeout_seconds=options.check_seconds,
            environment={"PGPORT": "5432"},
        )
    except ProgramFailed as error:
        return f"pg_amcheck found damage: {error.reason}"
    return None


_LEFTOVER = "restored-"


def _remove_leftovers(folder: Path) -> None:
    """A process that was killed could not remove what it restored."""
    for old in folder.glob(f"{_LEFTOVER}*"):
        shutil.rmtree(old, ignore_errors=True)
