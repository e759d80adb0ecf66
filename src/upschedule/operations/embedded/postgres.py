"""PostgreSQL with a role that owns the schema, and a role for each process."""

import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from upschedule.operations.embedded import executables
from upschedule.operations.embedded.passwords import PasswordFile, write_private
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.server import Command, Server
from upschedule.operations.privileges.grants import ROLES
from upschedule.operations.privileges.identities import BACKUP_ROLE, OWNER_ROLE, SHARED_ROLE, Process, role_of

APPLICATION_ROLE = SHARED_ROLE
_ROLES = (OWNER_ROLE, APPLICATION_ROLE, *ROLES)
DATABASE = "upschedule"
_INITDB_SECONDS = 120.0
_CONNECT_SECONDS = 5
_BUILTIN_LOCALE_SINCE = 17
# The launcher prevents orphaned servers, so the process that a stale pid file names is another program.
_PID_FILE = "postmaster.pid"


class Postgres(Server):
    """The cluster in `directory`, created on the first start.

    `durable=False` is faster and survives a killed server, but not a power cut.
    """

    unready = (psycopg.OperationalError,)

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        binaries: Path | None = None,
        max_connections: int = 200,
        durable: bool = True,
    ) -> None:
        self._binaries = binaries or executables.postgres_bin()
        super().__init__("PostgreSQL", directory, programs=[self._binaries / "postgres"])
        self.port = port or free_port()
        self._cluster = self.directory / "data"
        self._max_connections = max_connections
        self._durable = durable
        self._passwords = PasswordFile(self.directory / "passwords.json")

    def superuser_dsn(self, database: str = "postgres") -> str:
        return self._dsn("postgres", database)

    def owner_dsn(self, database: str = DATABASE) -> str:
        """The connection string of the owner, for migrations."""
        return self._dsn(OWNER_ROLE, database)

    def application_dsn(self, database: str = DATABASE) -> str:
        """The connection string of the role that processes of older releases share; it may change rows, not tables."""
        return self._dsn(APPLICATION_ROLE, database)

    def process_dsn(self, process: Process, database: str = DATABASE) -> str:
        """The connection string of the role of this process, which may use the rows and columns that it needs."""
        return self._dsn(role_of(process), database)

    def backup_dsn(self, database: str = DATABASE) -> str:
        """The connection string of the role that may read everything."""
        return self._dsn(BACKUP_ROLE, database)

    def prepare(self) -> None:
        if not self._cluster.exists():
            self._initialise()
        (self._cluster / _PID_FILE).unlink(missing_ok=True)

    def command(self) -> Command:
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": str(self._max_connections),
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] ",
            "log_error_verbosity": "terse",  # DETAIL lines quote rows.
        }
        if not self._durable:
            options |= {"fsync": "off", "full_page_writes": "off"}
        flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return Command(
            argv=[str(self._binaries / "postgres"), "-D", str(self._cluster), *flags],
            # "Fast": open transactions are rolled back, not awaited. "Immediate" also leaves out the last checkpoint.
            stop_signal=signal.SIGINT if self._durable else signal.SIGQUIT,
            death_signal=signal.SIGINT,
            stop_timeout_seconds=30.0,
        )

    def probe(self) -> None:
        self._execute("SELECT 1")

    def finish_start(self) -> None:
        with psycopg.connect(self.superuser_dsn(), autocommit=True, connect_timeout=_CONNECT_SECONDS) as conn:
            for role in _ROLES:
                if conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
                    conn.execute(_role_sql(role, self._passwords.get(role)))
            if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
                create_database(conn, DATABASE)
            # `upschedule ops slow` shows what the statements of all processes do.
            conn.execute(sql.SQL("GRANT pg_read_all_stats TO {}").format(sql.Identifier(role_of("scheduler"))))
            # A database of an earlier release does not know the roles that were added since.
            allow_to_connect(conn, DATABASE)

    def _initialise(self) -> None:
        draft = self.directory / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        password = self.directory / "initial-password"
        write_private(password, self._passwords.get("postgres").encode())
        locale = ["--locale=C.UTF-8", *(["--locale-provider=builtin"] if self._builtin_locale() else [])]
        access = ["-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(password), "--encoding=UTF8"]
        sync = [] if self._durable else ["--no-sync"]
        argv = [str(self._binaries / "initdb"), "-D", str(draft), *access, *locale, *sync]
        self.run_to_end(argv, timeout_seconds=_INITDB_SECONDS)
        password.unlink()
        draft.rename(self._cluster)

    def _builtin_locale(self) -> bool:
        version = subprocess.run(  # noqa: S603 - the wheel's program, or the one that POSTGRES_BIN names
            [self._binaries / "postgres", "--version"], check=True, capture_output=True, text=True, timeout=10
        ).stdout
        major = re.search(r"\b(\d+)", version)
        return major is not None and int(major[1]) >= _BUILTIN_LOCALE_SINCE

    def _execute(self, query: LiteralString) -> None:
        with psycopg.connect(self.superuser_dsn(), autocommit=True, connect_timeout=_CONNECT_SECONDS) as conn:
            conn.execute(query)

    def _dsn(self, user: str, database: str) -> str:
        return f"postgresql://{user}:{self._passwords.get(user)}@{LOOPBACK}:{self.port}/{database}"


def create_database(conn: psycopg.Connection, name: str, *, template: str = "template1") -> None:
    """Create a database to which only the roles of this module may connect."""
    words = {"name": sql.Identifier(name), "template": sql.Identifier(template), "owner": sql.Identifier(OWNER_ROLE)}
    conn.execute(sql.SQL("CREATE DATABASE {name} OWNER {owner} TEMPLATE {template}").format(**words))
    conn.execute(sql.SQL("REVOKE ALL ON DATABASE {name} FROM PUBLIC").format(**words))
    allow_to_connect(conn, name)


def allow_to_connect(conn: psycopg.Connection, name: str) -> None:
    roles = sql.SQL(", ").join(map(sql.Identifier, _ROLES))
    conn.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(name), roles))


def _role_sql(role: str, password: str) -> sql.Composed:
    return sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
        sql.Identifier(role), sql.Literal(password)
    )
