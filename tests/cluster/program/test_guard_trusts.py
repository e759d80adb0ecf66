"""Tests which Nomad servers the guard trusts over TLS, configured by the variables of Nomad's own programs."""

import ssl
from pathlib import Path

import pytest

from guard import NomadSilent, Rollout, read_rollouts
from tests.support.cluster.program.nomad_server import LOOPBACK, Nomad, running_nomad
from tests.support.cluster.tooling.authority import Certificate, self_signed

RUNNING = Rollout(job="api", release="1", deployment="running", scaling=True)
VARIABLES = ("NOMAD_CACERT", "NOMAD_CLIENT_CERT", "NOMAD_CLIENT_KEY")


@pytest.fixture
def server(tmp_path: Path) -> Certificate:
    return self_signed(tmp_path, "server", f"IP:{LOOPBACK}")


@pytest.fixture
def client(tmp_path: Path) -> Certificate:
    return self_signed(tmp_path, "client", "DNS:client")


def read(nomad: Nomad, monkeypatch: pytest.MonkeyPatch, **variables: Path) -> list[Rollout]:
    monkeypatch.setenv("NOMAD_ADDR", nomad.address)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, file in variables.items():
        monkeypatch.setenv(name, str(file))
    nomad.runs("api", "1", counts=(3, 2), Status="running")
    return read_rollouts(["api"], "whole")


def speaking(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def test_a_nomad_of_our_authority_is_believed_and_no_other(
    server: Certificate, client: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard sends its token to no other server. It reports a certificate file that does not exist."""
    with running_nomad(speaking(server)) as nomad:
        assert read(nomad, monkeypatch, NOMAD_CACERT=server.certificate) == [RUNNING]
        asked = len(nomad.asked)
        with pytest.raises(NomadSilent, match="certificate verify failed"):
            read(nomad, monkeypatch)
        with pytest.raises(NomadSilent, match="certificate verify failed"):
            read(nomad, monkeypatch, NOMAD_CACERT=client.certificate)
        with pytest.raises(NomadSilent, match="No such file or directory"):
            read(nomad, monkeypatch, NOMAD_CACERT=server.certificate.with_name("gone.pem"))
        assert len(nomad.asked) == asked


def test_a_nomad_that_requires_a_client_certificate_gets_it(
    server: Certificate, client: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment names the client certificate."""
    context = speaking(server)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(client.certificate)
    own = {"NOMAD_CLIENT_CERT": client.certificate, "NOMAD_CLIENT_KEY": client.key}

    with running_nomad(context) as nomad:
        assert read(nomad, monkeypatch, NOMAD_CACERT=server.certificate, **own) == [RUNNING]
        with pytest.raises(NomadSilent):
            read(nomad, monkeypatch, NOMAD_CACERT=server.certificate)
