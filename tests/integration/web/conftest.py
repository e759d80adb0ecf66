"""Fixtures of the API: real processes on the real servers."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.api_process import ApiProcess, api_environment, api_process, worker_process
from tests.servers import Database, fresh_bucket, fresh_database, started
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.seaweedfs import ObjectStoreAddress, SeaweedFS
from upschedule.operations.embedded.valkey import CACHE, STATE, Valkey

StartApi = Callable[..., ApiProcess]
NewClient = Callable[[ApiProcess], httpx.Client]


@pytest.fixture(scope="session")
def api(
    postgres_server: Postgres,
    postgres_template: str,
    valkey_state_server: Valkey,
    valkey_cache_server: Valkey,
    seaweedfs_server: SeaweedFS,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ApiProcess]:
    """One instance with the default limits for all tests that keep apart by being different people."""
    with ExitStack() as opened:
        database = opened.enter_context(fresh_database(postgres_server, template=postgres_template))
        bucket = opened.enter_context(fresh_bucket(seaweedfs_server))
        environment = api_environment(database, valkey_state_server.url, valkey_cache_server.url, bucket)
        yield opened.enter_context(api_process(environment, tmp_path_factory.mktemp("api") / "api.log"))


@pytest.fixture(scope="session")
def reading_api(
    postgres_server: Postgres,
    postgres_template: str,
    seaweedfs_server: SeaweedFS,
    scratch: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ApiProcess]:
    """One instance with a worker that reads what is uploaded."""
    logs = tmp_path_factory.mktemp("reading")
    with ExitStack() as opened:
        database = opened.enter_context(fresh_database(postgres_server, template=postgres_template))
        bucket = opened.enter_context(fresh_bucket(seaweedfs_server))
        state = opened.enter_context(started(Valkey(scratch / "reading-state", STATE)))
        cache = opened.enter_context(started(Valkey(scratch / "reading-cache", CACHE)))
        environment = api_environment(database, state.url, cache.url, bucket)
        opened.enter_context(worker_process(environment, logs / "worker.log"))
        yield opened.enter_context(api_process(environment, logs / "api.log"))


@pytest.fixture
def environment(
    database: Database, redis_state_url: str, redis_cache_url: str, object_store: ObjectStoreAddress
) -> dict[str, str]:
    """The settings of a process on servers of this test."""
    return api_environment(database, redis_state_url, redis_cache_url, object_store)


@pytest.fixture
def start_api(environment: dict[str, str], tmp_path: Path) -> Iterator[StartApi]:
    """Start an instance of this test: `start_api(UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR="3")`."""
    with ExitStack() as running:
        numbers = itertools.count(1)

        def start(**settings: str) -> ApiProcess:
            output = tmp_path / f"api-{next(numbers)}.log"
            return running.enter_context(api_process(environment | settings, output))

        yield start


@pytest.fixture
def new_client() -> Iterator[NewClient]:
    """A person with a cookie jar of their own."""
    with ExitStack() as opened:

        def create(api: ApiProcess) -> httpx.Client:
            return opened.enter_context(httpx.Client(base_url=api.url, timeout=30))

        yield create


@pytest.fixture
def client(api: ApiProcess, new_client: NewClient) -> httpx.Client:
    """Somebody who has not been here before."""
    return new_client(api)
