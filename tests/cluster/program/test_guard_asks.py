"""Tests how the guard interprets the answers of Nomad, and a missing answer."""

import socket
from http import HTTPStatus

import pytest

from guard import ANSWER_SECONDS, NomadSilent, Rollout, read_rollouts, record_what_runs, warn_of_drift
from tests.support.cluster.program.nomad_server import LOOPBACK, Asked, Nomad, answer, raw

CANARIES = {"api": {"DesiredCanaries": 1}}
NONE = {"api": {"DesiredCanaries": 0}}
VERSIONS = "/v1/job/api/versions"


def read(answer_seconds: float = ANSWER_SECONDS) -> Rollout:
    (rollout,) = read_rollouts(["api"], "whole", answer_seconds=answer_seconds)
    return rollout


def refusal(answer_seconds: float = ANSWER_SECONDS) -> str:
    with pytest.raises(NomadSilent) as caught:
        read(answer_seconds)
    return str(caught.value)


def test_a_job_that_is_not_there_has_no_release(nomad: Nomad) -> None:
    """The guard does not request a deployment of it. The request carries namespace and token."""
    assert read() == Rollout(job="api", release="", deployment="")
    assert nomad.asked == [Asked(path=f"{VERSIONS}?namespace=whole", token="token-3f9c")]


def test_each_job_is_asked_for(nomad: Nomad) -> None:
    """The result has the order of the given names."""
    nomad.runs("worker", "1", Status="running", TaskGroups=CANARIES)
    nomad.runs("scheduler", "2")

    assert read_rollouts(["api", "worker", "scheduler"], "whole") == [
        Rollout(job="api", release="", deployment=""),
        Rollout(job="worker", release="1", deployment="running"),
        Rollout(job="scheduler", release="2", deployment=""),
    ]


@pytest.mark.parametrize("metadata", [{}, {"Meta": None}, {"Meta": {"other": "1"}}])
def test_a_job_without_a_release_has_none(nomad: Nomad, metadata: dict[str, object]) -> None:
    """The job was started by hand. Nomad sends null where there is no metadata."""
    nomad.runs("api", "")
    version = {"ID": "api", "Version": 0, "Stable": True, "Stop": False, "JobModifyIndex": 1, "TaskGroups": []}
    nomad.says("api", "versions", {"Versions": [{**version, **metadata}]})

    assert read().release == ""


@pytest.mark.parametrize(
    ("counts", "earlier", "groups", "scaling"),
    [
        pytest.param((3, 2), None, NONE, True, id="instances are added to what runs"),
        pytest.param((2, 3), None, NONE, True, id="instances are removed"),
        pytest.param((3, 2), None, CANARIES, False, id="a canary is the start of a release"),
        pytest.param((3, 2), None, {**NONE, "other": {"DesiredCanaries": 2}}, False, id="a canary in one group of two"),
        pytest.param((2,), None, NONE, False, id="the first version starts everything"),
        pytest.param((2, 2), {"release": "0"}, NONE, False, id="another release without canaries"),
        pytest.param((3, 2), {"release": "0"}, NONE, False, id="another release with another number"),
        pytest.param((2, 2), None, NONE, False, id="the same release registered again"),
    ],
)
def test_a_change_of_the_number_of_instances_is_distinguished_from_a_release(
    nomad: Nomad,
    counts: tuple[int, ...],
    earlier: dict[str, str] | None,
    groups: dict[str, dict[str, int]],
    *,
    scaling: bool,
) -> None:
    """The guard uses the same rule as `upschedule deploy`. In both cases Nomad shows a running deployment."""
    nomad.runs("api", "1", counts=counts, earlier=earlier, Status="running", TaskGroups=groups)

    assert read() == Rollout(job="api", release="1", deployment="running", scaling=scaling)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (raw(b"no leader", HTTPStatus.INTERNAL_SERVER_ERROR), "500 no leader"),
        (raw(b"Permission denied", HTTPStatus.FORBIDDEN), "403 Permission denied"),
        (raw(b"<html>A proxy's page</html>"), "JSON is malformed: invalid character (byte 0)"),
        (raw(b'{"ID": "\xff"}'), "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"220 mail.example.org ESMTP\r\n", "220 mail.example.org ESMTP\r\n"),
        (answer({"ID": "api"})[:-4], "IncompleteRead(9 bytes read, 4 more expected)"),
        (b"", "Remote end closed connection without response"),
    ],
    ids=["error", "forbidden", "no JSON", "no text", "no HTTP", "half an answer", "none"],
)
@pytest.mark.parametrize("path", [VERSIONS, "/v1/job/api/deployments"])
def test_an_answer_that_says_nothing_stops_the_release(nomad: Nomad, path: str, answer: bytes, reason: str) -> None:
    """The guard refuses the release with the reason, since another one may be under way."""
    nomad.runs("api", "1", Status="successful", TaskGroups=CANARIES)
    nomad.answers[path] = answer

    assert refusal() == f"Nomad at {nomad.address} does not say whether a release is in progress: {reason}"


def test_a_refused_connection_stops_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server listens on the port, which has just been closed."""
    with socket.create_server((LOOPBACK, 0)) as server:
        address = f"http://{LOOPBACK}:{server.getsockname()[1]}"
    monkeypatch.setenv("NOMAD_ADDR", address)

    message = refusal()
    assert message.startswith(f"Nomad at {address} does not say whether a release is in progress: ")
    assert "Connection refused" in message


def test_a_nomad_that_hangs_stops_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server accepts the connection and never answers."""
    with socket.create_server((LOOPBACK, 0)) as server:
        monkeypatch.setenv("NOMAD_ADDR", f"http://{LOOPBACK}:{server.getsockname()[1]}")

        message = refusal(answer_seconds=0.2)

    assert message.endswith("does not say whether a release is in progress: Read timed out. (read timeout=0.2)")


@pytest.mark.parametrize("address", ["nomad.example.org", "http://127.0.0.1:http", "http://[::1"])
def test_an_address_that_is_none_stops_the_release(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """The message quotes the address as it was set."""
    monkeypatch.setenv("NOMAD_ADDR", address)

    assert refusal().startswith(f"Nomad at {address} does not say whether a release is in progress: ")


def test_an_empty_address_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nomad's own programs do the same."""
    monkeypatch.setenv("NOMAD_ADDR", "")

    assert refusal(answer_seconds=0.1).startswith("Nomad at http://127.0.0.1:4646 does not say")


def test_a_token_with_the_end_of_its_line_is_a_token(nomad: Nomad, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is read from a file ends with a line break. Python's error would show such a token (R8.2)."""
    monkeypatch.setenv("NOMAD_TOKEN", "token-3f9c\n")

    assert read().release == ""
    assert [asked.token for asked in nomad.asked] == ["token-3f9c"]


def test_a_job_names_its_secrets_and_settings_by_hashes(nomad: Nomad) -> None:
    """The hashes show whether the applied settings and secrets are those that run."""
    nomad.runs("api", "1", meta={"secrets": "0a", "settings": "1b"})

    assert read() == Rollout(job="api", release="1", deployment="", secrets="0a", settings="1b")


def test_a_plain_up_that_leaves_other_settings_running_is_warned_of(
    nomad: Nomad, capsys: pytest.CaptureFixture[str]
) -> None:
    nomad.runs("api", "1", meta={"secrets": "0a", "settings": "old"})
    applied = {"release": "1", "secrets": "0a", "settings": "new"}
    nomad.answers["/v1/var/stack/applied"] = answer({"Items": applied})

    warn_of_drift("1", ["api"], "whole")
    assert "api runs 1 with other settings" in capsys.readouterr().err


def test_the_guard_keeps_as_many_records_as_the_commands(
    nomad: Nomad, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A smaller number would remove records that the commands kept.

    An invalid number stops no release and removes nothing.
    """
    monkeypatch.setenv("UPSCHEDULE_DEPLOY_RECORDS_MAX", "many")

    record_what_runs(["api"], "whole")
    assert "UPSCHEDULE_DEPLOY_RECORDS_MAX must be a whole number, at least 2" in capsys.readouterr().err
    assert nomad.asked == []
