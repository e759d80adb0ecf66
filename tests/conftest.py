"""Fixtures of the real servers.

Each server starts for the first test that needs it. Each test gets an empty part of it.
"""

import itertools
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import pytest
import redis

from tests.support.isolated_servers import IsolatedServers
from tests.support.longest_files import place_of
from tests.support.processes.application import api_environment
from tests.support.servers import Database, fresh_bucket, fresh_database, make_template, scratch_directory, started
from tools import prerequisites
from upschedule.operations.embedded import ports
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.embedded.valkey import CACHE, STATE, Valkey, ValkeyUse
from upschedule.stores.bucket import BucketAddress

_ROOT = Path(__file__).parent
#: The system programs that the tests of a folder need. The first folder that matches counts.
_NEEDS = {
    "browser": (prerequisites.CHROMIUM, prerequisites.LIBATOMIC),
    "migration": (prerequisites.POSTGRESQL,),
    "integration/operations": (prerequisites.GIT,),
    "cluster/program": (),
    "cluster": (
        prerequisites.POSTGRESQL,
        prerequisites.GIT,
        prerequisites.OPENSSL,
        *prerequisites.PARTS["cluster"],
    ),
    "integration/stores": (prerequisites.OPENSSL,),
    "unit/tools": (prerequisites.OPENSSL,),
}


def pytest_configure(config: pytest.Config) -> None:
    """Makes a run that gets SIGTERM, for example at a time limit of the CI, stop the servers that it started.

    Each of several processes takes its own part of the ports.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    if worker := getattr(config, "workerinput", None):
        ports.candidates = ports.candidates[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sorts the files for processes that share the tests."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place_of(item.nodeid))


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def pytest_collection_finish(session: pytest.Session) -> None:
    """Ends the run before the first test if a program that the chosen tests need is missing."""
    if session.config.option.collectonly:
        return
    folders = {item.path.relative_to(_ROOT).parent.as_posix() for item in session.items}
    needs = {need for folder in folders for need in _needs_of(folder)}
    if wanted := sorted(prerequisites.missing(needs)):
        raise pytest.UsageError(prerequisites.advice(wanted))


def _needs_of(folder: str) -> tuple[prerequisites.Prerequisite, ...]:
    return next((needs for above, needs in _NEEDS.items() if f"{folder}/".startswith(f"{above}/")), ())


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """The directory of all servers' data."""
    with scratch_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def postgres_server(scratch: Path) -> Iterator[Postgres]:
    with started(Postgres(scratch / "postgres", durable=False)) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Postgres) -> str:
    """The name of a migrated database."""
    return make_template(postgres_server)


@pytest.fixture
def database(postgres_server: Postgres, postgres_template: str) -> Iterator[Database]:
    """A migrated, empty database for this test."""
    with fresh_database(postgres_server, template=postgres_template) as fresh:
        yield fresh


@pytest.fixture
def postgres_dsn(database: Database) -> str:
    """The URL of the application's role, which can change rows only."""
    return database.dsn


@pytest.fixture
def postgres_owner_dsn(database: Database) -> str:
    """The URL of the role that owns the tables."""
    return database.owner_dsn


@pytest.fixture(scope="session")
def valkey_state_server(scratch: Path) -> Iterator[Valkey]:
    with started(Valkey(scratch / "state", STATE)) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_cache_server(scratch: Path) -> Iterator[Valkey]:
    with started(Valkey(scratch / "cache", CACHE)) as server:
        yield server


@pytest.fixture
def redis_state_url(valkey_state_server: Valkey) -> str:
    """An empty Redis with noeviction and an append-only file."""
    return _emptied(valkey_state_server)


@pytest.fixture
def redis_cache_url(valkey_cache_server: Valkey) -> str:
    """An empty Redis with 2 GB and allkeys-lru."""
    return _emptied(valkey_cache_server)


@pytest.fixture(scope="session")
def seaweedfs_server(scratch: Path) -> Iterator[SeaweedFS]:
    with started(SeaweedFS(scratch / "objects", application_buckets="test-*")) as server:
        yield server


@pytest.fixture
def object_store(seaweedfs_server: SeaweedFS) -> Iterator[BucketAddress]:
    """An empty bucket with the application's key."""
    with fresh_bucket(seaweedfs_server) as address:
        yield address


@pytest.fixture
def own_environment(
    database: Database, redis_state_url: str, redis_cache_url: str, object_store: BucketAddress
) -> dict[str, str]:
    """The settings of processes that the test starts itself."""
    return api_environment(database, redis_state_url, redis_cache_url, object_store)


@pytest.fixture(scope="session")
def isolated_servers(
    postgres_server: Postgres, postgres_template: str, seaweedfs_server: SeaweedFS, scratch: Path
) -> Iterator[IsolatedServers]:
    """Servers for processes that many tests share."""
    with ExitStack() as opened:
        yield IsolatedServers(opened, postgres_server, postgres_template, seaweedfs_server, scratch)


@pytest.fixture
def private_postgres(scratch: Path) -> Iterator[Callable[[], Postgres]]:
    """Starts a PostgreSQL that the test may stop, kill and start."""
    with ExitStack() as owned:

        def start() -> Postgres:
            server = Postgres(_private_directory(scratch), durable=False)
            return owned.enter_context(started(server))

        yield start


@pytest.fixture
def private_valkey(scratch: Path) -> Iterator[Callable[[ValkeyUse], Valkey]]:
    """Starts a Redis that the test may stop, kill and start: `private_valkey(STATE)`."""
    with ExitStack() as owned:

        def start(use: ValkeyUse) -> Valkey:
            return owned.enter_context(started(Valkey(_private_directory(scratch), use)))

        yield start


@pytest.fixture
def private_seaweedfs(scratch: Path) -> Iterator[Callable[[], SeaweedFS]]:
    """Starts an S3 store that the test may stop, kill and start."""
    with ExitStack() as owned:

        def start() -> SeaweedFS:
            return owned.enter_context(started(SeaweedFS(_private_directory(scratch))))

        yield start


_private = itertools.count(1)


def _private_directory(scratch: Path) -> Path:
    return scratch / f"private-{next(_private)}"


def _emptied(server: Valkey) -> str:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    return server.url
