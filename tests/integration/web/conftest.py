"""Fixtures of the API: real processes on the real servers."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.isolated_servers import IsolatedServers
from tests.support.processes.application import ApiProcess, api_process, worker_process

StartApi = Callable[..., ApiProcess]
NewClient = Callable[[ApiProcess], httpx.Client]
Instances = tuple[ApiProcess, ApiProcess]

_addresses = itertools.count(1)


@pytest.fixture(scope="session")
def instances(isolated_servers: IsolatedServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instances]:
    """Two instances of one service with the default limits. Tests use different visitors to stay independent."""
    environment, logs = isolated_servers.start("api"), tmp_path_factory.mktemp("api")
    with api_process(environment, logs / "1.log") as first, api_process(environment, logs / "2.log") as second:
        yield first, second


@pytest.fixture(scope="session")
def api(instances: Instances) -> ApiProcess:
    """One of the two instances."""
    return instances[0]


@pytest.fixture(scope="session")
def reading_api(isolated_servers: IsolatedServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """One instance with a worker that reads the uploads."""
    environment, logs = isolated_servers.start("reading"), tmp_path_factory.mktemp("reading")
    with worker_process(environment, logs / "worker.log"), api_process(environment, logs / "api.log") as running:
        yield running


@pytest.fixture
def start_api(own_environment: dict[str, str], tmp_path: Path) -> Iterator[StartApi]:
    """Starts an instance of this test: `start_api(UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR="3")`."""
    with ExitStack() as running:
        numbers = itertools.count(1)

        def start(**settings: str) -> ApiProcess:
            output = tmp_path / f"api-{next(numbers)}.log"
            return running.enter_context(api_process(own_environment | settings, output))

        yield start


@pytest.fixture
def address() -> str:
    """The address that the reverse proxy reports for the visitors of this test. No other test uses it."""
    number = next(_addresses)
    return f"198.18.{number // 256}.{number % 256}"


@pytest.fixture
def new_client(address: str) -> Iterator[NewClient]:
    """Creates a visitor with its own cookies."""
    with ExitStack() as opened:

        def create(api: ApiProcess) -> httpx.Client:
            headers = {"X-Forwarded-For": address}
            return opened.enter_context(httpx.Client(base_url=api.url, headers=headers, timeout=30))

        yield create


@pytest.fixture
def client(api: ApiProcess, new_client: NewClient) -> httpx.Client:
    """A new visitor without a session."""
    return new_client(api)
