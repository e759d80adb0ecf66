"""Certificates of `hosts/sbin/upschedule-certificates`, used by a node's PostgreSQL and verified by its clients."""

from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.certificates import given_to, make
from tests.support.servers import scratch_directory, started, wait_until
from upschedule.operations.embedded.ports import LOOPBACK
from upschedule.operations.embedded.postgres import Postgres

#: Debian's PostgreSQL, which the tasks of the cluster run, since that of the Python wheels has no TLS.
BINARIES = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def server() -> Iterator[Postgres]:
    with scratch_directory() as scratch:
        (scratch / "postgres").mkdir()
        with started(Postgres(scratch / "postgres", binaries=BINARIES, durable=False)) as running:
            yield running


def test_postgresql_shows_the_certificate_and_clients_verify_it(server: Postgres, tmp_path: Path) -> None:
    """Clients verify name and authority, as the application's database URLs require (`verify-full`)."""
    folder = tmp_path / "certificates"
    for where, arguments in (
        (folder, ["authority"]),
        (folder, ["machine", "DNS:postgres.service.consul"]),
        (tmp_path / "stranger", ["authority"]),
    ):
        assert make(where, *arguments).returncode == 0
    stranger = tmp_path / "stranger" / "authority.pem"
    certificate, key = given_to(server.directory, server.directory, folder)
    settings: dict[LiteralString, str] = {"ssl_cert_file": str(certificate), "ssl_key_file": str(key), "ssl": "on"}
    with psycopg.connect(server.superuser_dsn(), autocommit=True) as conn:
        for name, value in settings.items():
            conn.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
        conn.execute("SELECT pg_reload_conf()")

    def trusts(authority: Path, host: str = "postgres.service.consul") -> bool:
        verified = make_conninfo(
            server.owner_dsn(), host=host, hostaddr=LOOPBACK, sslmode="verify-full", sslrootcert=str(authority)
        )
        with psycopg.connect(verified, connect_timeout=5) as conn:
            return bool(conn.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,))

    def reloaded() -> bool:
        try:
            return trusts(folder / "authority.pem")
        except psycopg.OperationalError:
            return False

    wait_until(reloaded)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        trusts(stranger)
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        trusts(folder / "authority.pem", "other.example.org")
