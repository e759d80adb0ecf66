"""Commands remove shares of visitors and documents that a killed command has left (R12.2)."""

from collections.abc import Iterator
from http import HTTPStatus

import pytest
from click.testing import CliRunner

from tests.support.cluster.program.nomad_server import Nomad, answer, raw, running_nomad
from upschedule.cli.deploy import command
from upschedule.deploy.errors import ExitCode

REMOVE = "DELETE /v1/var/nomad/jobs/traefik/traefik"
REMOVE_DOCUMENTS = "DELETE /v1/var/nomad/jobs/worker/worker"
PROBE = ["--url", "http://127.0.0.1:1", "--prometheus", "http://127.0.0.1:1"]
#: No job runs, so the commands have nothing else to do.
COMMANDS = [
    (["revert"], ExitCode.DONE),
    (["promote", *PROBE], ExitCode.FAILED),
    (["promote", "--no-gate", *PROBE], ExitCode.FAILED),
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nomad]:
    with running_nomad() as running:
        monkeypatch.setenv("NOMAD_ADDR", running.address)
        monkeypatch.setenv("CONSUL_HTTP_ADDR", running.address)
        running.answers["/v1/vars"] = answer([])
        yield running


@pytest.mark.parametrize(("arguments", "code"), COMMANDS)
def test_a_command_that_changes_the_release_removes_the_shares_first(
    server: Nomad, arguments: list[str], code: ExitCode
) -> None:
    server.changes = {REMOVE: [answer({})], REMOVE_DOCUMENTS: [answer({})]}
    result = CliRunner().invoke(command, arguments)

    assert result.exit_code == code, result.output
    assert [each.path for each in server.asked[:2]] == [REMOVE, REMOVE_DOCUMENTS]


@pytest.mark.parametrize(("arguments", "code"), COMMANDS)
def test_a_token_that_may_not_remove_it_stops_no_command(server: Nomad, arguments: list[str], code: ExitCode) -> None:
    """A revert is more important. It removes the share that the token may remove."""
    server.changes = {REMOVE: [raw(b"Permission denied", HTTPStatus.FORBIDDEN)], REMOVE_DOCUMENTS: [answer({})]}
    result = CliRunner().invoke(command, arguments)

    assert result.exit_code == code, result.output
    assert "is not removed: Nomad refuses DELETE" in result.output
    assert [each.path for each in server.asked[:2]] == [REMOVE, REMOVE_DOCUMENTS]
