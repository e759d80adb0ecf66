"""The Consul client of the commands: its addresses, timeouts and trust."""

import pytest

from upschedule.deploy.clock import Clock
from upschedule.deploy.consul import ConsulHealth, consul_client
from upschedule.deploy.environment import cluster_from
from upschedule.deploy.errors import ServerUnreachable
from upschedule.deploy.http import BRIEF, CONNECT_SECONDS, READ_SECONDS


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("http://127.0.0.1:8500", "http://127.0.0.1:8500"),
        ("http://[::1]:8500", "http://[::1]:8500"),
        ("https://consul.example", "https://consul.example:443"),
        ("http://consul/", "http://consul:80"),
    ],
)
def test_an_address_is_taken_as_it_is(address: str, uri: str) -> None:
    assert consul_client(address, "").http.base_uri == uri


@pytest.mark.parametrize(
    "address", ["http://consul:abc", "unix:///run/consul", "consul:8500", "http://consul/prefix", ""]
)
def test_another_kind_of_address_is_refused_in_words(address: str) -> None:
    with pytest.raises(ServerUnreachable, match="http://HOST:PORT"):
        consul_client(address, "")


def test_an_empty_variable_counts_as_unset() -> None:
    cluster_from({"CONSUL_HTTP_ADDR": ""}, clock=Clock(), report=lambda _line: None)
    with pytest.raises(ServerUnreachable, match="http://HOST:PORT"):
        cluster_from({"CONSUL_HTTP_ADDR": "http://"}, clock=Clock(), report=lambda _line: None)


def test_the_environment_changes_neither_token_nor_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "of the environment")
    client = consul_client("http://127.0.0.1:8500", "given")
    assert client.token == "given"
    assert not client.http.session.trust_env
    assert client.http.session.max_redirects == 0


def test_connecting_and_reading_have_bounds_of_their_own() -> None:
    client = consul_client("http://127.0.0.1:8500", "")
    assert client.http.connections_timeout == (CONNECT_SECONDS, READ_SECONDS)


def test_an_unreachable_agent_is_reported_with_its_address_and_cause() -> None:
    health = ConsulHealth(consul_client("http://127.0.0.1:1", "", retries=BRIEF.new(total=0)))
    with pytest.raises(ServerUnreachable, match=r"Consul at http://127.0.0.1:1 cannot be asked: .*refused") as raised:
        health.registrations(["api"])
    assert "HTTPConnectionPool" not in str(raised.value)
