"""An unmigrated database on each supported version of PostgreSQL: 18 from the wheel, and Debian's 15."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import DEBIAN_POSTGRES, Database, fresh_database, started
from upschedule.operations.embedded.executables import postgres_bin
from upschedule.operations.embedded.postgres import Postgres

VERSIONS = {"wheel": postgres_bin(), "debian-15": DEBIAN_POSTGRES}


@pytest.fixture(scope="session", params=VERSIONS)
def versioned_postgres(request: pytest.FixtureRequest, scratch: Path) -> Iterator[Postgres]:
    server = Postgres(scratch / f"postgres-{request.param}", binaries=VERSIONS[request.param], durable=False)
    with started(server):
        yield server


@pytest.fixture
def empty_database(versioned_postgres: Postgres) -> Iterator[Database]:
    with fresh_database(versioned_postgres) as database:
        yield database
