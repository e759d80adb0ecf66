"""Where the program asks for Nomad, its own server answers."""

from collections.abc import Iterator

import pytest

from tests.support.cluster.program.nomad_server import Nomad, running_nomad
from tests.support.cluster.program.recorded_engine import Ran
from tests.support.cluster.program.secret_readers import ALL
from tests.support.cluster.program.whole_program import RELEASED, up


@pytest.fixture(scope="session")
def reader_of_job_files() -> Iterator[Nomad]:
    """Every program asks it what its job files mean."""
    with running_nomad() as running:
        yield running


@pytest.fixture(autouse=True)
def readable_job_files(reader_of_job_files: Nomad, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test names no other server."""
    monkeypatch.setenv("NOMAD_ADDR", reader_of_job_files.address)


@pytest.fixture
def nomad(readable_job_files: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nomad]:
    """Nothing runs on it yet; the environment names it."""
    with running_nomad() as running:
        monkeypatch.setenv("NOMAD_ADDR", running.address)
        monkeypatch.setenv("NOMAD_TOKEN", "token-3f9c")
        yield running


@pytest.fixture(scope="session")
def released() -> Ran[list[str]]:
    """What the program makes of a stack with a release and every secret that there is; to be looked at only."""
    with running_nomad() as nomad, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOMAD_ADDR", nomad.address)
        return up(RELEASED, ALL)
