"""A gate while Nomad, Consul or Prometheus does not answer for a short or a long time (R12.2, R12.4)."""

from collections.abc import Callable, Iterator
from http import HTTPStatus

import msgspec
import pytest

from tests.support.builders.gate_context import gate_context
from tests.support.builders.nomad_answers import allocation, specification
from tests.support.cluster.program.nomad_server import Nomad, answer, raw, running_nomad
from upschedule.deploy.clock import Clock
from upschedule.deploy.errors import ServerRefused, ServerUnreachable
from upschedule.deploy.findings import Finding
from upschedule.deploy.http import Endpoint
from upschedule.deploy.nomad import NomadClient, nomad_at
from upschedule.deploy.nomad_model import Job
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.shared_traffic import CanaryInstance, SharedTraffic, ShareLimits
from upschedule.deploy.silence import repeat_while_silent

VARIABLE = "/v1/var/nomad/jobs/traefik/traefik"
WRITE, REMOVE = f"PUT {VARIABLE}", f"DELETE {VARIABLE}"
NO_LEADER = raw(b"No cluster leader", HTTPStatus.INTERNAL_SERVER_ERROR)
FORBIDDEN = raw(b"Permission denied", HTTPStatus.FORBIDDEN)
TIME = {"status": "success", "data": {"result": [{"metric": {}, "value": [0.0, "1000"]}]}}
SILENCE_SECONDS = 30.0


class Passing:
    """A clock that advances only during pauses."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.seconds = 0.0
        self._meanwhile = meanwhile

    def clock(self) -> Clock:
        return Clock(sleep=self._sleep, now=lambda: self.seconds, random=lambda: 0.5)

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self._meanwhile()


@pytest.fixture
def server() -> Iterator[Nomad]:
    """A server that answers for Nomad and Prometheus. The API gets no requests."""
    with running_nomad() as running:
        running.answers["/api/v1/query"] = answer(TIME)
        running.changes = {WRITE: [answer({})], REMOVE: [answer({})]}
        yield running


def shared(server: Nomad) -> tuple[list[Finding], list[str]]:
    """The findings of a share of one slice, and the printed lines."""
    printed: list[str] = []
    traffic = SharedTraffic(
        nomad=NomadClient(nomad_at(server.address, "")),
        prometheus=Prometheus(Endpoint(name="Prometheus", address=server.address)),
        site=Endpoint(name="The service", address=server.address),
        clock=Passing().clock(),
        report=printed.append,
        limits=ShareLimits(percents=(5,), step_seconds=10, last_seconds=10, slice_seconds=10),
        silence_seconds=SILENCE_SECONDS,
    )
    canary = CanaryInstance(instance="a", address="127.0.0.1:1")
    return traffic.findings(canary, live=2, still_well=lambda: True), printed


def test_an_election_while_the_share_is_set_says_nothing_against_the_canary(server: Nomad) -> None:
    server.changes[WRITE] = [NO_LEADER, NO_LEADER, answer({})]
    (finding,), printed = shared(server)

    assert finding.detail.startswith("not sure after 0 requests")
    assert "500 No cluster leader: asking again for 30 s" in printed[1]
    assert [each.path for each in server.asked if "traefik" in each.path] == [WRITE, WRITE, WRITE, REMOVE]


def test_a_silence_that_lasts_makes_the_gate_unsure_and_not_the_release_bad(server: Nomad) -> None:
    server.changes[WRITE] = [NO_LEADER]
    (finding,), _ = shared(server)
    assert (finding.ok, finding.unsure, "No cluster leader" in finding.detail) == (False, True, True)


def test_a_token_that_may_not_set_the_share_fails_the_gate_at_once(server: Nomad) -> None:
    server.changes[WRITE] = [FORBIDDEN]
    (finding,), _ = shared(server)
    assert (finding.ok, finding.unsure, "403" in finding.detail) == (False, False, True)
    assert [each.path for each in server.asked if "PUT" in each.path] == [WRITE]


HEALTH = "/v1/health/service/api"
INSTANCE = "11111111-2222-3333-4444-555555555555"
#: Consul's answer, with the index that its client expects.
REGISTERED = answer(
    [
        {
            "Service": {"ID": f"_nomad-task-{INSTANCE}-group-api-api-http"},
            "Checks": [{"Name": "ready", "Status": "passing", "Output": ""}],
        }
    ]
).replace(b"\r\n", b"\r\nX-Consul-Index: 7\r\n", 1)


def checked(server: Nomad, passing: Passing) -> Finding:
    """The findings of the gate about one instance in Consul."""
    context = gate_context(server.address, clock=passing.clock(), silence_seconds=SILENCE_SECONDS)
    job = msgspec.convert(specification(1, "two"), Job)
    return context.check_instances(job, [allocation(INSTANCE, 1)], kind="canaries")


def test_an_election_in_consul_says_nothing_against_the_canary(server: Nomad) -> None:
    server.answers[HEALTH] = NO_LEADER

    def elect() -> None:
        server.answers[HEALTH] = REGISTERED

    assert checked(server, Passing(elect)).detail == "all pass on 1 canaries"


def test_a_consul_that_stays_silent_makes_the_gate_unsure_and_a_refusal_fails_it(server: Nomad) -> None:
    server.answers[HEALTH] = NO_LEADER
    passing = Passing()
    findings = checked(server, passing)
    assert (findings.ok, findings.unsure, passing.seconds) == (False, True, SILENCE_SECONDS)

    server.answers[HEALTH] = FORBIDDEN
    refused = checked(server, Passing())
    assert (refused.ok, refused.unsure) == (False, False)


def test_a_call_is_repeated_for_so_long_and_no_longer() -> None:
    passing, calls, printed = Passing(), list[float](), list[str]()

    def call() -> str:
        calls.append(passing.seconds)
        if passing.seconds < 20:
            raise ServerUnreachable("Prometheus", "connection refused")
        return "answer"

    assert repeat_while_silent(call, clock=passing.clock(), seconds=30, report=printed.append) == "answer"
    assert printed == ["Prometheus cannot be asked: connection refused: asking again for 30 s"]
    passing.seconds = 0.0
    with pytest.raises(ServerUnreachable):
        repeat_while_silent(call, clock=passing.clock(), seconds=10, report=printed.append)


@pytest.mark.parametrize(("status", "silence"), [(403, False), (404, False), (409, False), (429, True), (500, True)])
def test_a_refusal_is_distinguished_from_a_server_that_is_unavailable(status: int, *, silence: bool) -> None:
    assert ServerRefused("Nomad", "PUT var", status, "why").is_silence is silence
