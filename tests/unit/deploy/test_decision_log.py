"""The log of decisions when Nomad refuses, or another command writes at the same time (R12.3).

`tests/cluster/tooling` tests it on a real Nomad.
"""

from collections.abc import Iterator
from http import HTTPStatus

import msgspec
import pytest

from tests.support.builders.gate_context import gate_context
from tests.support.builders.nomad_answers import allocation, deployment, specification
from tests.support.cluster.program.nomad_server import Nomad, answer, raw, running_nomad
from upschedule.deploy.clock import Clock
from upschedule.deploy.decisions import (
    NOT_COMPARED,
    Decision,
    DecisionKind,
    DecisionLog,
    decisions_if_allowed,
    lines,
    record_decision,
)
from upschedule.deploy.errors import ServerRefused
from upschedule.deploy.nomad import NomadClient, nomad_at

READ, WRITE = "/v1/var/releases/decisions", "PUT /v1/var/releases/decisions"
API = "/v1/job/api"
DECISION = Decision(
    at="2026-01-01 00:00:00 UTC",
    kind=DecisionKind.GATE_NOT_SURE,
    release="two (c0ffee)",
    identity="1",
    verdict="not sure after 3 requests",
)
FORBIDDEN = raw(b"Permission denied", HTTPStatus.FORBIDDEN)
CONFLICT = raw(b"cas error", HTTPStatus.CONFLICT)


@pytest.fixture
def server() -> Iterator[Nomad]:
    """A Nomad on which a release of the API waits for its promotion."""
    with running_nomad() as running:
        canary = allocation("canary", 1)
        release = deployment(1, "running", canaries=("canary",), desired_canaries=1)
        running.answers = {
            f"{API}/versions": answer({"Versions": [specification(1, "two", stable=False), specification(0, "one")]}),
            f"{API}/evaluations": answer([]),
            f"{API}/allocations": answer([msgspec.to_builtins(canary)]),
            f"{API}/deployments": answer([msgspec.to_builtins(release)]),
        }
        yield running


def log(server: Nomad) -> DecisionLog:
    return DecisionLog(NomadClient(nomad_at(server.address, "")))


def stored(server: Nomad, text: str) -> None:
    server.answers[READ] = answer({"Items": {"decisions": text}, "ModifyIndex": 7})


def test_a_log_that_changed_meanwhile_is_read_and_written_again_but_not_for_ever(server: Nomad) -> None:
    server.changes[WRITE] = [CONFLICT, answer({})]
    log(server).add(DECISION)
    assert [each.path.partition("?")[0] for each in server.asked] == [READ, WRITE] * 2

    server.changes[WRITE] = [CONFLICT]
    with pytest.raises(ServerRefused):
        log(server).add(DECISION)


def test_a_log_that_is_damaged_or_may_not_be_read_counts_as_empty(server: Nomad) -> None:
    stored(server, "{")
    assert log(server).read() == []
    server.answers[READ] = FORBIDDEN
    assert decisions_if_allowed(NomadClient(nomad_at(server.address, ""))) == []


def test_a_decision_that_cannot_be_recorded_stops_no_command(server: Nomad) -> None:
    printed: list[str] = []
    context = gate_context(server.address, clock=Clock(), report=printed.append)
    server.changes[WRITE] = [FORBIDDEN]
    record_decision(context.cluster, context.watcher.poll(), DecisionKind.REVERT)
    (line,) = [each for each in printed if "recorded" in each]
    assert line.startswith("The decision is not recorded, and the command goes on: Nomad refuses")


def test_a_line_says_when_which_release_what_was_decided_and_what_was_known() -> None:
    assert lines([DECISION, msgspec.structs.replace(DECISION, kind=DecisionKind.REVERT, verdict=NOT_COMPARED)]) == [
        "  2026-01-01 00:00:00 UTC release two (c0ffee): gate not sure; it found: not sure after 3 requests",
        "  2026-01-01 00:00:00 UTC release two (c0ffee): revert; the last gate: no gate has compared it",
    ]
