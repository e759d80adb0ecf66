"""Fixtures that give the Pulumi program a Nomad API: a local HTTP server that answers its requests."""

from collections.abc import Iterator

import pytest

from tests.support.cluster.program.nomad_server import Nomad, running_nomad
from tests.support.cluster.program.recorded_engine import Ran
from tests.support.cluster.program.secret_readers import ALL
from tests.support.cluster.program.whole_program import RELEASED, up


@pytest.fixture(scope="session")
def reader_of_job_files() -> Iterator[Nomad]:
    """One server for the whole run parses job files for every test."""
    with running_nomad() as running:
        yield running


@pytest.fixture(autouse=True)
def readable_job_files(reader_of_job_files: Nomad, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points `NOMAD_ADDR` at the parsing server. A test that uses another server overrides it."""
    monkeypatch.setenv("NOMAD_ADDR", reader_of_job_files.address)


@pytest.fixture
def nomad(readable_job_files: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nomad]:
    """An empty Nomad server. `NOMAD_ADDR` and `NOMAD_TOKEN` point to it."""
    with running_nomad() as running:
        monkeypatch.setenv("NOMAD_ADDR", running.address)
        monkeypatch.setenv("NOMAD_TOKEN", "token-3f9c")
        yield running


@pytest.fixture(scope="session")
def released() -> Ran[list[str]]:
    """The result of the program for a stack with a release and all secrets. It is shared, so tests only read it."""
    with running_nomad() as nomad, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOMAD_ADDR", nomad.address)
        return up(RELEASED, ALL)
