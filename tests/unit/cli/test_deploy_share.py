"""A share of the visitors that a killed command has left is removed before the next change (R12.2)."""

from collections.abc import Iterator
from http import HTTPStatus

import pytest
from click.testing import CliRunner

from tests.support.cluster.program.nomad_server import Nomad, answer, raw, running_nomad
from upschedule.cli.deploy import command
from upschedule.deploy.errors import ExitCode

REMOVE = "DELETE /v1/var/nomad/jobs/traefik/traefik"
PROBE = ["--url", "http://127.0.0.1:1", "--prometheus", "http://127.0.0.1:1"]
#: No job runs, so that there is nothing else to do.
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
def test_a_command_that_changes_the_release_removes_the_share_first(
    server: Nomad, arguments: list[str], code: ExitCode
) -> None:
    server.changes[REMOVE] = [answer({})]
    ended = CliRunner().invoke(command, arguments)

    assert ended.exit_code == code, ended.output
    assert server.asked[0].path == REMOVE


@pytest.mark.parametrize(("arguments", "code"), COMMANDS)
def test_a_token_that_may_not_remove_it_stops_no_command(server: Nomad, arguments: list[str], code: ExitCode) -> None:
    """A revert is needed more."""
    server.changes[REMOVE] = [raw(b"Permission denied", HTTPStatus.FORBIDDEN)]
    ended = CliRunner().invoke(command, arguments)

    assert ended.exit_code == code, ended.output
    assert "is not removed: Nomad refuses DELETE" in ended.output
